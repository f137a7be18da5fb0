//! Says whether sandboxes can be set up on this machine, and how; exits with 1
//! and the remedy where they can't.
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::process::ExitCode;

use sandbox::{Error, LAUNCHER_ARGUMENT, Sandbox, Settings};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some(LAUNCHER_ARGUMENT) {
        sandbox::launcher_main();
    }
    let settings = Settings::new(std::env::current_exe()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(match runtime.block_on(look(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    })
}

async fn look(settings: Settings) -> Result<(), Error> {
    let sandbox = Sandbox::start(settings).await?;
    let host = sandbox.host();
    println!("kernel: {}\ncgroups: {:?}", host.kernel, host.cgroups);
    for note in host.notes {
        println!("note: {note}");
    }
    sandbox.shutdown().await;
    Ok(())
}
