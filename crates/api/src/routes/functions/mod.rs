//! Functions: deployed, found, described, run, deleted.

pub(crate) mod archive;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod execute;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod versions;
pub(crate) mod view;
