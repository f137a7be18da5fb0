//! Deployments: how far they are, and what they found.

pub(crate) mod events;
pub(crate) mod show;
pub(crate) mod tested;
pub(crate) mod view;
