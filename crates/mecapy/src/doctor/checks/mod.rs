//! The checks: from what was read to a finding, without a look at the machine.

mod calculation;
pub(super) mod cgroups;
mod clock;
mod disk;
mod interpreters;
pub(super) mod namespaces;
mod seccomp;
mod system;
mod uid_maps;
mod uv;

pub(super) use calculation::check as calculation;
pub(super) use cgroups::check as cgroups;
pub(super) use clock::check as clock;
pub(super) use disk::check as disk;
pub(super) use interpreters::check as interpreters;
pub(super) use namespaces::check as namespaces;
pub(super) use seccomp::check as seccomp;
pub(super) use system::check as system;
pub(super) use uid_maps::check as uid_maps;
pub(super) use uv::check as uv;
