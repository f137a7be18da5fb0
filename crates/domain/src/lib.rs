//! The words of MecaPy as types: ids, states, limits, permissions, manifest,
//! faults and units.
//!
//! Nothing here reads a file, a socket or an environment variable, and
//! nothing here depends on another crate of the workspace. The one door to
//! the machine is [`clock::System`], which every component receives as a
//! [`clock::Clock`] so that tests can hold time still.

pub mod clock;
pub mod digest;
pub mod event;
pub mod fault;
pub mod function;
pub mod id;
pub mod json;
pub mod lang;
pub mod limits;
pub mod manifest;
pub mod network;
pub mod origin;
pub mod permission;
pub mod task;
pub mod testing;
pub mod units;

pub use clock::{Clock, Timestamp};
pub use digest::Digest;
pub use fault::{Fault, Severity};
pub use id::*;
pub use lang::{Lang, Text};
pub use network::Network;
