//! The store against its contract: every trait, on every backend there is.

#![expect(clippy::unwrap_used, reason = "a test may end at the first surprise")]

#[macro_use]
mod world;

mod accounts;
mod crash;
mod deployments;
mod endings;
mod files;
mod functions;
mod idempotency;
mod logins;
mod migrations;
mod model;
mod on_postgres;
mod on_sqlite;
mod operator;
mod tasks;
mod tenants;
