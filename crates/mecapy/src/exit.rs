//! How a command ends: exit codes, and failures that people and programs read.

use std::process::ExitCode;

use domain::Text;

use crate::wiring::NoSandbox;

/// The exit codes of every command. They are part of the interface: scripts
/// rely on them, and `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done = 0,
    /// The calculation, the test, the deployment or a check of the machine failed.
    Failed = 1,
    /// The command line, the settings or the inputs can't be used.
    Usage = 2,
    /// The server can't be reached.
    Unreachable = 3,
    /// The server doesn't accept the token, or not for this.
    Denied = 4,
    /// The server is too busy or broken; the same may work later.
    Unavailable = 5,
    /// The task had not ended when the waiting time was over.
    StillRunning = 6,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What people read, several lines at most.
    pub text: Text,
    /// What programs read with `--json`, where the server gave more than the
    /// text: one JSON value.
    pub document: Option<String>,
}

impl Failure {
    /// A failure that has only a text.
    pub fn new(exit: Exit, text: Text) -> Self {
        Self { exit, text, document: None }
    }

    /// Whether the server refused with the problem of this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        let document = self.document.as_deref();
        let value = document.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        value.is_some_and(|value| value["code"] == code)
    }

    /// Wrong usage.
    pub fn usage(en: impl Into<String>, fr: impl Into<String>) -> Self {
        Self::new(Exit::Usage, Text::new(en, fr))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        // What an operator has to mend is known in both languages.
        let environment = error.downcast_ref::<environment::Error>().map(|known| known.text());
        let sandbox = || error.downcast_ref::<NoSandbox>().map(NoSandbox::text);
        let told = || error.downcast_ref::<Told>().map(|told| told.0.clone());
        let text = environment.or_else(sandbox).or_else(told);
        Self::new(Exit::Failed, text.unwrap_or_else(|| Text::same(format!("{error:#}"))))
    }
}

impl From<backup::Error> for Failure {
    fn from(error: backup::Error) -> Self {
        Self::new(Exit::Failed, error.text())
    }
}

/// An error that says in both languages what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .0.en)]
pub struct Told(pub Text);

impl Told {
    /// The sentence in English and in French.
    pub fn new(en: impl Into<String>, fr: impl Into<String>) -> Self {
        Self(Text::new(en, fr))
    }
}

impl From<crate::settings::Refused> for Failure {
    fn from(refused: crate::settings::Refused) -> Self {
        let join = |pick: fn(&Text) -> &str| {
            refused.faults.iter().map(pick).collect::<Vec<_>>().join("\n")
        };
        Self::usage(join(|fault| &fault.en), join(|fault| &fault.fr))
    }
}
