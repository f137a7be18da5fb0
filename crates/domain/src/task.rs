//! Tasks: their states, classes and errors.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lang::Text;
use crate::limits::{HIGH_PRIORITY_UNDER, LONG_RUNNING_OVER};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in the API and in the database.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    other => Err(UnknownWord { expected: &[$($word),*], found: other.to_owned() }),
                }
            }
        }
    };
}

/// A word that is none of those expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}, found {found:?}", expected.join(", "))]
pub struct UnknownWord {
    /// The words that would do.
    pub expected: &'static [&'static str],
    /// The word that came.
    pub found: String,
}

words! {
    /// `queued → running → completed | failed | cancelled`.
    State {
        /// Accepted, waiting for a worker.
        Queued = "queued",
        /// On a worker.
        Running = "running",
        /// Ended with a result.
        Completed = "completed",
        /// Ended with a typed error.
        Failed = "failed",
        /// Ended by request.
        Cancelled = "cancelled",
    }
}

impl State {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

words! {
    /// The three queues, by expected duration.
    QueueClass {
        /// Expected under 5 s; first in, first out within a company.
        HighPriority = "high_priority",
        /// Up to 300 s.
        Default = "default",
        /// Beyond; never takes a worker's last slot.
        LongRunning = "long_running",
    }
}

impl QueueClass {
    /// The class of a task that is expected to take `expected`.
    #[must_use]
    pub fn of(expected: Duration) -> Self {
        if expected < HIGH_PRIORITY_UNDER {
            Self::HighPriority
        } else if expected <= LONG_RUNNING_OVER {
            Self::Default
        } else {
            Self::LongRunning
        }
    }
}

words! {
    /// Why a task failed.
    ErrorKind {
        /// The function's own code raised.
        UserError = "user_error",
        /// It ran past its deadline.
        Timeout = "timeout",
        /// It needed more memory than its limit.
        OutOfMemory = "out_of_memory",
        /// Its process was ended by a signal.
        Killed = "killed",
        /// Its result or its files were too large.
        OutputTooLarge = "output_too_large",
        /// What it returned has no JSON form.
        InvalidOutput = "invalid_output",
        /// Its worker vanished, more often than the retry policy allows.
        LostWorker = "lost_worker",
        /// The platform failed.
        Internal = "internal",
    }
}

impl ErrorKind {
    /// Whether another attempt may end otherwise through no merit of the
    /// function: what the platform broke, the platform tries again.
    #[must_use]
    pub fn is_platform(self) -> bool {
        matches!(self, Self::LostWorker | Self::Internal)
    }
}

/// The typed error of a failed task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskError {
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// What happened and what to do about it.
    pub message: Text,
    /// The Python exception's type, for `user_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// The user's own frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// JSON Pointer into the result, for `invalid_output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The limit that was hit, in the unit of `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// What was measured, in the unit of `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// `s` or `bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

impl TaskError {
    /// An error that has nothing to tell but its kind and message.
    #[must_use]
    pub fn new(kind: ErrorKind, message: Text) -> Self {
        Self {
            kind,
            message,
            exception: None,
            traceback: None,
            pointer: None,
            limit: None,
            measured: None,
            unit: None,
        }
    }
}

/// 0–9; 9 is the most urgent, 5 the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

impl TryFrom<u8> for Priority {
    type Error = NotAPriority;

    fn try_from(number: u8) -> Result<Self, NotAPriority> {
        if number <= 9 { Ok(Self(number)) } else { Err(NotAPriority(number)) }
    }
}

/// A priority out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a priority from 0 to 9 (9 is the most urgent), found {0}")]
pub struct NotAPriority(pub u8);

/// What a run tells of how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: f64,
    /// Steps in all, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// What it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What was measured of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// From the claim to the first line of the handler, in milliseconds.
    pub startup_ms: f64,
    /// From the first line of the handler to its end, in milliseconds.
    pub execution_ms: f64,
    /// CPU time of all its processes, in milliseconds.
    pub cpu_ms: f64,
    /// Most memory it held beyond its template, in bytes.
    pub peak_memory_bytes: u64,
    /// Whether it was forked from a template that already stood.
    pub warm: bool,
}

/// The expected duration of a version's next run: the 95th percentile of its
/// last runs when there are at least five, else its timeout.
#[must_use]
pub fn expected_duration(last_runs_ms: &[f64], timeout: Duration) -> Duration {
    if last_runs_ms.len() < 5 {
        return timeout;
    }
    let mut sorted = last_runs_ms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * 95).div_ceil(100).max(1) - 1;
    Duration::from_secs_f64((sorted[rank] / 1000.0).max(0.0)).min(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_follows_the_expected_duration() {
        assert_eq!(QueueClass::of(Duration::from_millis(4999)), QueueClass::HighPriority);
        assert_eq!(QueueClass::of(Duration::from_secs(5)), QueueClass::Default);
        assert_eq!(QueueClass::of(Duration::from_secs(300)), QueueClass::Default);
        assert_eq!(QueueClass::of(Duration::from_secs(301)), QueueClass::LongRunning);
    }

    #[test]
    fn the_expected_duration_needs_five_runs() {
        let timeout = Duration::from_secs(300);
        assert_eq!(expected_duration(&[10.0; 4], timeout), timeout);
        assert_eq!(expected_duration(&[10.0; 5], timeout), Duration::from_millis(10));
        let mut runs = vec![10.0; 19];
        runs.push(5000.0);
        assert_eq!(expected_duration(&runs, timeout), Duration::from_millis(10));
        runs.push(5000.0);
        assert_eq!(expected_duration(&runs, timeout), Duration::from_secs(5));
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for &state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("done".parse::<State>().is_err());
    }
}
