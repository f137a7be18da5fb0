//! Environments with the real `uv`, real interpreters, and packages from PyPI
//! or from an index on this machine.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod fixture;

mod builds;
mod garbage;
mod indexes;
mod interpreters;
mod locks;
mod reasons;
mod wheels_stay_inert;
