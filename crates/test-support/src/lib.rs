//! Throw-away servers, builders and archives for tests.

pub mod tools;
pub mod wheels;
