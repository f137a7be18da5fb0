//! What a build says while it goes on: streamed line by line, kept bounded.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the lines of a lock or a build go while it runs.
#[derive(Clone, Default)]
pub struct Log {
    sink: Option<Arc<Sink>>,
}

type Sink = dyn Fn(&str) + Send + Sync;

impl Log {
    /// A log that nobody watches.
    #[must_use]
    pub fn silent() -> Self {
        Self::default()
    }

    /// A log whose lines, without their line ends, are given to `sink`. The
    /// sink must not block: a channel's `try_send` or a mutex held briefly.
    pub fn to(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Arc::new(sink)) }
    }

    pub(crate) fn line(&self, line: &str) {
        if let Some(sink) = &self.sink {
            sink(line);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", if self.sink.is_some() { "watched" } else { "silent" })
    }
}

/// A log that is also kept in a file up to a size.
#[derive(Clone, Debug)]
pub(crate) struct KeptLog {
    live: Log,
    kept: Option<Arc<Mutex<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    file: File,
    room: u64,
}

impl KeptLog {
    /// Lines go to `live` alone.
    pub(crate) fn live_only(live: &Log) -> Self {
        Self { live: live.clone(), kept: None }
    }

    /// Lines go to `live`, and into `file` until `limit` bytes stand in it.
    pub(crate) fn into_file(live: &Log, file: File, limit: u64) -> Self {
        let kept = Kept { file, room: limit };
        Self { live: live.clone(), kept: Some(Arc::new(Mutex::new(kept))) }
    }

    pub(crate) fn line(&self, line: &str) {
        self.live.line(line);
        let Some(kept) = &self.kept else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = line.len() as u64 + 1;
        if kept.room == 0 {
            return;
        }
        let text = if needed <= kept.room {
            kept.room -= needed;
            format!("{line}\n")
        } else {
            kept.room = 0;
            "[the rest of this log is not kept: it reached its limit]\n".to_owned()
        };
        // A log that can't be written, on a full disk say, must not fail the
        // build, which will meet the same disk and say so itself.
        let _ = kept.file.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_log_ends_at_its_limit_with_a_word_about_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("build.log");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let live = {
            let seen = seen.clone();
            Log::to(move |line| seen.lock().unwrap().push(line.to_owned()))
        };
        let log = KeptLog::into_file(&live, File::create(&path).unwrap(), 10);
        for line in ["first", "second line", "third"] {
            log.line(line);
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept.starts_with("first\n[the rest"), "{kept}");
        assert_eq!(kept.lines().count(), 2);
        assert_eq!(seen.lock().unwrap().len(), 3, "the watcher sees all of it");
    }
}
