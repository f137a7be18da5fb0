//! What people read: the description at `/`, the documentation, the pages of
//! problems. Static text without scripts, and nothing from another server.

pub(crate) mod docs;
pub(crate) mod errors;
pub(crate) mod french;
pub(crate) mod html;
pub(crate) mod index;
pub(crate) mod login;
pub(crate) mod openapi;
