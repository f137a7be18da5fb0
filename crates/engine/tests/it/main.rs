//! The use cases over a real database, a real folder of blobs and the broker
//! of one process; only the sandbox and the clock are the test's own.

#![expect(clippy::unwrap_used, reason = "a test may end where it stands")]

mod attempts;
mod bounds;
mod life;
mod tenants;
mod unwritten;
mod watching;
mod world;
