//! Tasks: made from code, listed, looked at, followed, cancelled, deleted.

pub(crate) mod accepted;
pub(crate) mod artifact;
pub(crate) mod artifacts;
mod asked;
pub(crate) mod cancel;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod result;
pub(crate) mod show;
pub(crate) mod view;
