//! Logging in and out, and the caller's own account.

pub(crate) mod accept;
pub(crate) mod company;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod me;
pub(crate) mod opened;
pub(crate) mod password;
