//! Fetches one folder of one commit of a Git repository over https.
//!
//! [`Fetcher::fetch`] asks for a branch, tag or commit without its history, by
//! version 2 of Git's protocol, and answers the files below a folder. Nothing
//! is checked out and nothing of the repository is executed: no hooks, no
//! filters, no submodules, no links.
//!
//! Who names the repository is a stranger, and so is the server behind the
//! name. Addresses that are not public are refused after the name was
//! resolved, on each redirect anew, unless the operator allows them. What comes
//! back is read in a process of its own ([`child_main`]) with limits on its
//! memory, time and files, so that nothing in a pack can harm the server.

mod address;
mod child;
mod conversation;
mod delta;
mod error;
mod fault;
mod fetcher;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod object;
mod pack;
mod packet;
mod request;
mod scratch;
mod tree;

pub use address::{Reach, is_public};
pub use child::{ARGUMENT, child_main};
pub use error::{Bound, Error, Special};
pub use fetcher::{Fetched, Fetcher, Files, Settings, Sink};
pub use http::certificates;
pub use request::{Limits, Login, Request};
