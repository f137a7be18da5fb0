//! Compiles a folder inside the sandbox and takes the bytecode over.
//!
//! The sandbox sees the folder read-only and writes to its own outputs: what
//! an installer has hard-linked into the folder can't be changed by a run, and
//! the host decides where each file goes.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use crate::error::Error;
use crate::outcome::{End, Outcome};
use crate::outputs::{self, Outputs};
use crate::run::{Assignment, Job, Limits};
use crate::template::{Compiled, Template};

pub(crate) async fn compile(
    template: &Template,
    folder: &Path,
    limits: Limits,
) -> Result<Compiled, Error> {
    // Bounded by the run's file system; the folder's own size bounds it in effect.
    let limits = Limits { artifact_bytes: u64::MAX, artifact_count: u64::MAX, ..limits };
    let ready = template.prepare().await?;
    let running = ready.assign(Assignment::new(Job::Compile, folder.to_path_buf(), limits));
    let Outcome { end, outputs, .. } = running.outcome().await;
    let json = match end {
        End::Result { json, .. } => json,
        End::Failed(failure) => {
            return Err(Error::Template { stage: "compiling".into(), detail: failure.message });
        }
    };
    #[derive(serde::Deserialize)]
    struct Report {
        failed: Vec<(String, String)>,
    }
    let report: Report = serde_json::from_slice(&json).map_err(|error| Error::Template {
        stage: "compiling".into(),
        detail: error.to_string(),
    })?;
    let folder = folder.to_path_buf();
    let copied = tokio::task::spawn_blocking(move || copy(&outputs, &folder)).await;
    let written = copied
        .map_err(io::Error::other)
        .and_then(|copied| copied)
        .map_err(|error| Error::host("taking the bytecode over", &error))?;
    Ok(Compiled { written, failed: report.failed })
}

/// Copies `…/__pycache__/*.pyc` to the same places below the folder.
fn copy(outputs: &Outputs, folder: &Path) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(CWD, folder, flags, Mode::empty())?;
    let mut written = 0;
    for entry in outputs.list().map_err(io::Error::other)? {
        let Some((cache, name)) = entry.name.rsplit_once('/') else { continue };
        let belongs = cache == "__pycache__" || cache.ends_with("/__pycache__");
        if !belongs || !name.ends_with(".pyc") {
            continue;
        }
        let parent = match cache.strip_suffix("/__pycache__") {
            Some(parent) => outputs::open_folder(folder.as_fd(), parent)?,
            None => folder.try_clone()?,
        };
        match rustix::fs::mkdirat(&parent, "__pycache__", Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let cache = outputs::open_folder(parent.as_fd(), "__pycache__")?;
        match rustix::fs::unlinkat(&cache, name, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut target = std::fs::File::from(outputs::open_beneath(cache.as_fd(), name, create)?);
        let mut source = outputs.open(&entry.name).map_err(io::Error::other)?;
        io::copy(&mut source, &mut target)?;
        written += 1;
    }
    Ok(written)
}
