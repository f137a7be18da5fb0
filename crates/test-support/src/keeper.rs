//! A server that ends with whoever started it, in whatever way that ends.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context as _, Result, bail};

/// Runs the server until its own input says so or ends, as it does when the
/// test's process ends; then nothing is left of either. The word `keep` leaves
/// the folder. What the shell says of the server's end is nobody's business.
const SCRIPT: &str = r#"
    signal=$1; folder=$2; shift 2
    "$@" </dev/null & server=$!
    read -r word || word=
    exec 2>/dev/null
    kill -"$signal" "$server"; wait "$server"
    [ "$word" = keep ] || { cd /; rm -rf "$folder"; }
"#;

/// A running server, ended with its folder when this is dropped.
#[derive(Debug)]
pub(crate) struct Keeper(Child);

impl Keeper {
    /// Makes `shell`, a command that runs `/bin/sh`, the keeper of `program`:
    /// its arguments follow. `signal` ends the server.
    pub(crate) fn of<'a>(
        shell: &'a mut Command,
        signal: &str,
        folder: &Path,
        program: impl AsRef<OsStr>,
    ) -> &'a mut Command {
        shell.args(["-c", SCRIPT, "keeper", signal]).arg(folder).arg(program)
    }

    /// Takes over what was started, whose input must be a pipe.
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    /// The process, for its output.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Ends the server as a power cut would; its folder stays.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.0.stdin.take().context("it was stopped before")?.write_all(b"keep\n")?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The end of its input, if that has not come yet.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What `find` makes of the first line of a log that it knows. What follows is
/// read to its end, as a full pipe would stop the server.
pub(crate) fn first<T>(
    log: impl Read + Send + 'static,
    server: &str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let mut lines = BufReader::new(log).lines();
    let mut said = String::new();
    while let Some(line) = lines.next().transpose()? {
        if let Some(found) = find(&line) {
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(found);
        }
        said.push_str(&line);
        said.push('\n');
    }
    bail!("{server} ended before it was ready:\n{said}")
}
