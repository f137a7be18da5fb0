//! The `mecapy` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: the launcher must have one thread, no runtime and
    // as little memory as can be.
    if std::env::args_os().nth(1).is_some_and(|word| word == sandbox::LAUNCHER_ARGUMENT) {
        sandbox::launcher_main()
    }
    // What a stranger's Git server sends is read by a process of its own.
    if std::env::args_os().nth(1).is_some_and(|word| word == git::ARGUMENT) {
        return git::child_main();
    }
    mecapy::cli::main()
}
