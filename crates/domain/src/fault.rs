//! Faults: what is wrong in an archive or in inputs, where, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lang::{Lang, Text};

/// One fault, precise enough to be mended without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Stable and documented, such as `manifest_unknown_key`.
    pub code: String,
    /// Whether it refuses the archive or only warns.
    pub severity: Severity,
    /// Path of the file inside the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Path of the key (`runtime.timeout`) or JSON Pointer (`/force`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was expected, what came, what to do.
    pub message: Text,
}

/// How much a fault weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Refuses the archive.
    Error,
    /// Is shown, and refuses nothing.
    Warning,
}

impl Fault {
    /// An error without a place; the `at` methods add one.
    pub fn error(code: impl Into<String>, message: Text) -> Self {
        Self {
            code: code.into(),
            severity: Severity::Error,
            file: None,
            line: None,
            column: None,
            key: None,
            message,
        }
    }

    /// A warning without a place.
    pub fn warning(code: impl Into<String>, message: Text) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Names the file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Names line and column, both from 1.
    #[must_use]
    pub fn at(mut self, line: u32, column: u32) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    /// Names the key or JSON Pointer, cut off where it is beyond reading.
    #[must_use]
    pub fn at_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(shown_key(key.into()));
        self
    }

    /// `handler.py:3:1 runtime.timeout: message`, as compilers write it.
    #[must_use]
    pub fn display(&self, lang: Lang) -> impl fmt::Display + '_ {
        Displayed { fault: self, lang }
    }
}

/// The most bytes of a key that are shown.
const LONGEST_KEY: usize = 1000;

/// A key or JSON Pointer as a fault shows it. Whoever writes inputs chooses
/// their keys: a hundred faults under one of a megabyte would be an answer of
/// a hundred.
#[must_use]
pub fn shown_key(mut key: String) -> String {
    if key.len() > LONGEST_KEY {
        let end = (0..=LONGEST_KEY).rev().find(|end| key.is_char_boundary(*end));
        key.truncate(end.unwrap_or(0));
        key.push('…');
        key.shrink_to_fit();
    }
    key
}

struct Displayed<'a> {
    fault: &'a Fault,
    lang: Lang,
}

impl fmt::Display for Displayed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { file, line, column, key, .. } = self.fault;
        let mut placed = false;
        for (before, part) in [
            ("", file.clone()),
            (":", line.map(|line| line.to_string())),
            (":", column.map(|column| column.to_string())),
            (" ", key.clone()),
        ] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                write!(f, "{}{part}", if placed { before } else { "" })?;
                placed = true;
            }
        }
        write!(f, "{}{}", if placed { ": " } else { "" }, self.fault.message.get(self.lang))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_place_before_its_sentence() {
        let fault = Fault::error("x", Text::new("too long", "trop long"))
            .in_file("mecapy.yaml")
            .at(3, 7)
            .at_key("metadata.name");
        assert_eq!(fault.display(Lang::Fr).to_string(), "mecapy.yaml:3:7 metadata.name: trop long");
        let bare = Fault::error("x", Text::same("no")).at_key("/a");
        assert_eq!(bare.display(Lang::En).to_string(), "/a: no");
    }

    #[test]
    fn a_key_beyond_reading_is_cut_off_between_characters() {
        assert_eq!(shown_key("/force".to_owned()), "/force");
        let cut = shown_key(format!("/{}", "é".repeat(1_000_000)));
        assert_eq!(cut, format!("/{}…", "é".repeat(499)));
    }
}
