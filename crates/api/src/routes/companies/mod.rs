//! Companies, their members and quotas.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod members;
pub(crate) mod put_member;
pub(crate) mod quotas;
pub(crate) mod remove_member;
pub(crate) mod show;
pub(crate) mod view;
