//! The process that fetches as a program of its own, for this crate's tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    git::child_main()
}
