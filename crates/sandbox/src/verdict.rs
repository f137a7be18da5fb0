//! Turns what happened to a run into its verdict.

use std::time::Duration;

use bytes::Bytes;

use crate::frames::{FailureHead, ResultHead, check_json};
use crate::outcome::{End, Failure, FailureKind};
use crate::run::Limits;
use crate::sys::reap::Exit;

/// How the process ended when no result came.
pub(crate) struct Death {
    pub(crate) exit: Exit,
    pub(crate) oom_kills: u64,
    pub(crate) peak: u64,
    /// What came instead of a frame.
    pub(crate) garbage: Option<String>,
}

/// A result, if its bytes are what they have to be.
pub(crate) fn of_result(head: ResultHead, json: Bytes) -> End {
    match check_json(&json) {
        Ok(()) => End::Result { json, non_finite: head.non_finite },
        Err(message) => failed(FailureKind::InvalidOutput, message),
    }
}

/// What the runner reported. `peak` is the memory that the kernel counted.
pub(crate) fn of_failure(head: FailureHead, limits: &Limits, peak: u64) -> End {
    let FailureHead { kind, exception, message, traceback, pointer, limit, measured, .. } = head;
    let kind = match kind.as_str() {
        "output_too_large" => {
            let limit = limit.unwrap_or(limits.result_bytes);
            FailureKind::OutputTooLarge { limit, measured: measured.unwrap_or(limit) }
        }
        // Where one allocation is larger than all there is, nothing of it is
        // ever used, and the peak stays below the limit.
        "out_of_memory" => {
            FailureKind::OutOfMemory { limit_bytes: limits.memory_bytes, peak_bytes: peak }
        }
        // A run can't blame the platform: such tasks are tried again.
        _ => FailureKind::UserError { exception, pointer },
    };
    End::Failed(Failure { kind, message, traceback })
}

/// An end without a result.
pub(crate) fn of_death(death: Death, limits: &Limits) -> End {
    if let Some(what) = death.garbage {
        let message = format!("the run wrote {what} where its result belongs");
        return failed(FailureKind::InvalidOutput, message);
    }
    if death.oom_kills > 0 {
        let kind = FailureKind::OutOfMemory {
            limit_bytes: limits.memory_bytes,
            peak_bytes: death.peak.max(limits.memory_bytes),
        };
        let message = format!(
            "the calculation needed more than its {} MiB of memory; use less, or raise \
             runtime.memory_limit",
            limits.memory_bytes >> 20
        );
        return failed(kind, message);
    }
    match death.exit {
        Exit::Signal(signal) => failed(
            FailureKind::Killed { signal },
            format!("the process died by {}", signal_name(signal)),
        ),
        Exit::Code(code) => failed(
            FailureKind::InvalidOutput,
            format!("the process ended with exit code {code} before it returned a result"),
        ),
    }
}

/// The time limit passed.
pub(crate) fn timeout(limit: Duration, measured: Duration) -> End {
    failed(
        FailureKind::Timeout { limit, measured },
        format!("the calculation took longer than its limit of {} s", limit.as_secs_f64()),
    )
}

/// A result longer than allowed.
pub(crate) fn too_large(limit: u64, measured: u64) -> End {
    failed(
        FailureKind::OutputTooLarge { limit, measured },
        format!("the result has {measured} bytes, {limit} are allowed; write it to an output file"),
    )
}

/// Somebody asked for the end.
pub(crate) fn cancelled() -> End {
    failed(FailureKind::Cancelled, "the calculation was cancelled".to_owned())
}

fn failed(kind: FailureKind, message: String) -> End {
    End::Failed(Failure { kind, message, traceback: None })
}

fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGSEGV => "SIGSEGV (invalid memory access)".to_owned(),
        libc::SIGBUS => "SIGBUS (invalid memory access)".to_owned(),
        libc::SIGFPE => "SIGFPE (arithmetic error)".to_owned(),
        libc::SIGILL => "SIGILL (illegal instruction)".to_owned(),
        libc::SIGABRT => "SIGABRT (abort)".to_owned(),
        libc::SIGKILL => "SIGKILL".to_owned(),
        libc::SIGSYS => "SIGSYS (forbidden system call)".to_owned(),
        other => format!("signal {other}"),
    }
}
