//! Reads a function archive: bytes in, value or faults out.
//!
//! [`read()`] takes the bytes of a ZIP and gives a [`Package`], or every fault
//! that stands in the way, each with file, line, column, key and a sentence
//! in English and in French. [`Schemas`] then checks what goes into and comes
//! out of the function, and [`compare()`] says whether a known answer was
//! reproduced. Nothing here touches a disk, a network or a clock.

mod archive;
pub mod code;
mod compare;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod manifest;
mod python;
mod read;
mod schema;
mod source;
mod template;

pub use archive::{File, Packing, ignored, zip};
pub use compare::{DEFAULT_REL_TOLERANCE, compare};
pub use json::{Replacement, replace};
pub use manifest::manifest_keys;
pub use python::{Policy, UnknownPolicy};
pub use read::{Package, Refused, TestCasePlaces, VersionPlace, read, read_dir};
pub use schema::{CheckedInputs, FileRef, Schemas};
pub use source::nearest;
pub use template::template;
