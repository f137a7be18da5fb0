//! Fetching from real Git servers, and from ones that mean harm.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails there")]

mod network;
mod packs;
mod process;
mod repositories;
mod trees;
mod world;
