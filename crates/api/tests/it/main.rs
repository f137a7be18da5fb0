//! The API over a real engine: database, objects and queue in a temporary
//! folder. Only the sandbox is missing: the tests themselves are the worker,
//! so that they know what every run gets and gives.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails there")]

mod accounts;
mod app;
mod auth;
mod documents;
mod exactness;
mod functions;
mod idempotency;
mod limits;
mod problems;
mod serving;
mod speed;
mod streams;
mod tasks;
mod tenants;
