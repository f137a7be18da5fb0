//! Why the sandbox itself could not do what it was asked to.

use std::io;
use std::path::PathBuf;

/// Why the sandbox could not do its work. What user code did wrong is never
/// here: that is a [`crate::Failure`] inside an [`crate::Outcome`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The host lacks something the isolation needs; nothing may run.
    #[error("the isolation can't be set up: {missing}; {remedy}")]
    Unsupported {
        /// What was expected and what was found.
        missing: String,
        /// What the operator can do about it.
        remedy: String,
    },
    /// The launcher process ended or could not be started.
    #[error(
        "the sandbox launcher is gone: {0}; restart the worker, and look at its log for the cause"
    )]
    LauncherGone(String),
    /// A template process did not come up, or ended.
    #[error("the template did not start ({stage}): {detail}")]
    Template {
        /// How far it came.
        stage: String,
        /// The last lines it wrote, or the cause.
        detail: String,
    },
    /// A run could not be forked or did not pass the checks from outside.
    #[error("no run could be prepared: {0}")]
    Prepare(String),
    /// What the template has imported keeps its runs from being isolated. One
    /// without imports has this from nobody.
    #[error("the packages keep runs from being isolated: {0}")]
    Unfit(String),
    /// The interpreter can't be used.
    #[error("the interpreter {} can't be used: {detail}", executable.display())]
    Interpreter {
        /// What was given.
        executable: PathBuf,
        /// Why not, and what to do.
        detail: String,
    },
    /// An operation on the host failed.
    #[error("{action}: {detail}")]
    Host {
        /// What was attempted.
        action: String,
        /// The system's answer.
        detail: String,
    },
}

impl Error {
    /// An error of the host, with what was attempted.
    pub(crate) fn host(action: impl Into<String>, error: &io::Error) -> Self {
        Self::Host { action: action.into(), detail: error.to_string() }
    }
}
