//! The routes, one folder a resource, one file an action.

pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod companies;
pub(crate) mod deployments;
pub(crate) mod files;
pub(crate) mod functions;
pub(crate) mod invitations;
pub(crate) mod operations;
pub(crate) mod pages;
pub(crate) mod tasks;
pub(crate) mod tokens;
