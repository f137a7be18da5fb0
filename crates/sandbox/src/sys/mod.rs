//! The few system calls that no safe wrapper offers; the crate's only `unsafe`.
#![expect(unsafe_code, reason = "raw system calls, each argued where it stands")]

pub(crate) mod fork;
pub(crate) mod maps;
pub(crate) mod message;
pub(crate) mod mounts;
pub(crate) mod reap;
