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
        // The runner's own encoder writes no such thing, so nobody needs it in French.
        Err(message) => failed(FailureKind::InvalidOutput, message, None),
    }
}

/// What the runner reported. `peak` is the memory that the kernel counted.
pub(crate) fn of_failure(head: FailureHead, limits: &Limits, peak: u64) -> End {
    let FailureHead { kind, exception, message, french, traceback, pointer, limit, measured } =
        head;
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
        "unencodable" => FailureKind::Unencodable { pointer: pointer.unwrap_or_default() },
        // A run can't blame the platform: such tasks are tried again.
        _ => FailureKind::UserError { exception },
    };
    End::Failed(Failure { kind, message, french, traceback })
}

/// An end without a result.
pub(crate) fn of_death(death: Death, limits: &Limits) -> End {
    if let Some(what) = death.garbage {
        let message = format!(
            "the run wrote {what} to file 4, where the platform expects its result; leave that \
             file alone"
        );
        let french = "l'exécution a écrit autre chose que son résultat dans le fichier 4, qui lui \
                      est réservé ; n'y touchez pas";
        return failed(FailureKind::InvalidOutput, message, Some(french.to_owned()));
    }
    if death.oom_kills > 0 {
        return out_of_memory(limits, death.peak);
    }
    match death.exit {
        Exit::Signal(signal) => killed(signal),
        Exit::Code(ABORTED) => killed(libc::SIGABRT),
        Exit::Code(code) => failed(
            FailureKind::InvalidOutput,
            format!(
                "the process ended with exit code {code} before it gave its result; return a dict \
                 from `calculate`, and call nothing that ends the process, such as os._exit"
            ),
            Some(format!(
                "le processus s'est terminé avec le code {code} avant d'avoir donné son résultat ; \
                 renvoyez un dict de `calculate`, et n'appelez rien qui termine le processus, comme \
                 os._exit"
            )),
        ),
    }
}

/// How the runner ends by SIGABRT: the kernel spares the first process of a
/// pid namespace, and libc then ends it by a signal that says something else.
const ABORTED: i32 = 128 + libc::SIGABRT;

/// A process of the run was killed for memory.
pub(crate) fn out_of_memory(limits: &Limits, peak: u64) -> End {
    let limit_bytes = limits.memory_bytes;
    let kind = FailureKind::OutOfMemory { limit_bytes, peak_bytes: peak.max(limit_bytes) };
    let message = format!(
        "the calculation needed more than its {} MiB of memory; use less, or raise \
         runtime.memory_limit",
        limit_bytes >> 20
    );
    failed(kind, message, None)
}

/// The time limit passed.
pub(crate) fn timeout(limit: Duration, measured: Duration) -> End {
    failed(
        FailureKind::Timeout { limit, measured },
        format!("the calculation took longer than its limit of {} s", limit.as_secs_f64()),
        None,
    )
}

/// A result longer than allowed.
pub(crate) fn too_large(limit: u64, measured: u64) -> End {
    failed(
        FailureKind::OutputTooLarge { limit, measured },
        format!("the result has {measured} bytes, {limit} are allowed; write it to an output file"),
        None,
    )
}

/// Somebody asked for the end.
pub(crate) fn cancelled() -> End {
    failed(FailureKind::Cancelled, "the calculation was cancelled".to_owned(), None)
}

fn failed(kind: FailureKind, message: String, french: Option<String>) -> End {
    End::Failed(Failure { kind, message, french, traceback: None })
}

fn killed(signal: i32) -> End {
    let (name, english, french) = match signal {
        libc::SIGSEGV => ("SIGSEGV", "invalid memory access", "accès mémoire invalide"),
        libc::SIGBUS => ("SIGBUS", "invalid memory access", "accès mémoire invalide"),
        libc::SIGFPE => ("SIGFPE", "arithmetic error", "erreur arithmétique"),
        libc::SIGILL => ("SIGILL", "illegal instruction", "instruction illégale"),
        libc::SIGABRT => ("SIGABRT", "a library called abort", "une bibliothèque a appelé abort"),
        libc::SIGSYS => ("SIGSYS", "forbidden system call", "appel système interdit"),
        libc::SIGKILL => {
            return failed(
                FailureKind::Killed { signal },
                "the process of the run was killed from outside; run it again, and tell the \
                 operator if it happens again"
                    .to_owned(),
                Some(
                    "le processus de l'exécution a été tué de l'extérieur ; relancez-la, et \
                     prévenez l'exploitant si cela se reproduit"
                        .to_owned(),
                ),
            );
        }
        _ => {
            return failed(
                FailureKind::Killed { signal },
                format!("the process of the run died by signal {signal}"),
                Some(format!("le processus de l'exécution est mort du signal {signal}")),
            );
        }
    };
    failed(
        FailureKind::Killed { signal },
        format!(
            "the process of the run died by {name} ({english}), mostly a fault of native code; \
             its log may name the line"
        ),
        Some(format!(
            "le processus de l'exécution est mort de {name} ({french}), le plus souvent une faute \
             de code natif ; son journal peut en nommer la ligne"
        )),
    )
}
