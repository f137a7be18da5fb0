//! What handlers take out of a request, each refusing with a problem that
//! names the place.

pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod cursor;
pub(crate) mod id;
pub(crate) mod json;
pub(crate) mod params;
pub(crate) mod place;
pub(crate) mod sent;
pub(crate) mod upload;
pub(crate) mod watcher;

pub(crate) use caller::Caller;
pub(crate) use id::{Function, Id};
pub(crate) use json::JsonBody;
pub(crate) use params::Params;
pub(crate) use watcher::Watcher;
