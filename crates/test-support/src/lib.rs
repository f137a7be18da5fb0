//! Throw-away servers, builders and archives for tests.

pub mod archive;
pub mod client;
pub mod git;
mod keeper;
pub mod postgres;
pub mod redis;
pub mod s3;
pub mod server;
pub mod tools;
pub mod wheels;
