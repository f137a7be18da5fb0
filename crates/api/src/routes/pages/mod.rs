//! What people read: the description at `/`, the documentation of the API,
//! the pages of problems, the login. Pages run no script and ask no other
//! server for anything.

pub(crate) mod docs;
pub(crate) mod errors;
pub(crate) mod frame;
pub(crate) mod index;
pub(crate) mod login;
mod markdown;
pub(crate) mod openapi;
mod reader;
