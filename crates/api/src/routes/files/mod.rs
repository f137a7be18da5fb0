//! Input files: uploaded, and fetched again.

pub(crate) mod show;
pub(crate) mod upload;
