//! Finding versions that fit together, by `uv pip compile`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::cache;
use crate::disk::Extent;
use crate::error::{Error, IndexRemedy, Stage};
use crate::interpreter::Interpreter;
use crate::lock::{Locked, packages_of};
use crate::log::KeptLog;
use crate::uv::{Ended, Finished, Uv};

/// One question to `uv`.
pub(crate) struct Question<'a> {
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) requirements: &'a [String],
    /// Versions to keep to where the requirements admit them.
    pub(crate) preferences: &'a [Locked],
    /// Whether the packages that these need are left out.
    pub(crate) alone: bool,
    /// Whether the oldest versions that fit are wanted instead of the newest.
    pub(crate) oldest: bool,
    /// Whether each wheel's hash is wanted.
    pub(crate) hashes: bool,
}

impl<'a> Question<'a> {
    pub(crate) fn new(interpreter: &'a Interpreter, requirements: &'a [String]) -> Self {
        Self {
            interpreter,
            requirements,
            preferences: &[],
            alone: false,
            oldest: false,
            hashes: false,
        }
    }
}

/// Requirements that are asked about at a time.
pub(crate) const AT_A_TIME: u64 = 4;

/// How much the questions of one request may cost.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) deadline: Instant,
    /// The time that ends with the deadline.
    pub(crate) time: Duration,
    pub(crate) most: Extent,
}

/// What `uv` answers.
pub(crate) enum Answer {
    /// These packages.
    Packages(Vec<Locked>),
    /// None, for these reasons in `uv`'s words.
    Unsolvable(String),
}

/// Asks `uv`; an `Err` is nothing that other requirements could mend.
pub(crate) async fn ask(
    uv: &Uv,
    scratch: &Path,
    question: &Question<'_>,
    log: &KeptLog,
    bounds: Bounds,
) -> Result<Answer, Error> {
    let folder = tempfile::tempdir_in(scratch).map_err(Error::io("make a folder in", scratch))?;
    let folder = folder.path();
    let input = folder.join("requirements.in");
    let output = folder.join("pylock.toml");
    let mut text = question.requirements.join("\n");
    text.push('\n');
    std::fs::write(&input, text).map_err(Error::io("write", &input))?;
    if !question.preferences.is_empty() {
        // Versions in an output file that is already there are kept to.
        let seed = preferences(question);
        std::fs::write(&output, seed).map_err(Error::io("write", &output))?;
    }
    let mut command = uv.command(folder);
    command
        .args(["pip", "compile", "requirements.in", "--output-file", "pylock.toml"])
        .args(["--only-binary", ":all:", "--no-sources", "--no-header"])
        .arg("--python")
        .arg(&question.interpreter.executable);
    uv.ask_index(&mut command);
    if question.hashes {
        command.arg("--generate-hashes");
    }
    if question.alone {
        command.arg("--no-deps");
    }
    if question.oldest {
        command.args(["--resolution", "lowest"]);
    }
    // Where an index tells no metadata apart, whole wheels are unpacked here.
    let watch = cache::outgrown(uv.cache(), None, bounds.most, AT_A_TIME);
    let largest = Some(bounds.most.bytes);
    let ended = uv.run(command, None, largest, bounds.deadline, log, watch).await?;
    let error = match ended {
        Ended::Exited(finished) if finished.wrote_too_much() => {
            Error::TooLarge { limit_bytes: bounds.most.bytes, measured_bytes: bounds.most.bytes }
        }
        Ended::Exited(finished) => return answer(uv, question, &output, finished),
        Ended::OutOfTime => Error::TimedOut { stage: Stage::Lock, limit: bounds.time },
        Ended::Stopped(error) => error,
    };
    cache::remove_leftovers(uv, scratch).await;
    Err(error)
}

fn answer(
    uv: &Uv,
    question: &Question<'_>,
    output: &Path,
    finished: Finished,
) -> Result<Answer, Error> {
    if finished.status.success() {
        let pylock = std::fs::read_to_string(output).map_err(Error::io("read", output))?;
        if question.hashes {
            return packages_of(&pylock).map(Answer::Packages).map_err(Error::Uv);
        }
        return versions_of(&pylock).map(Answer::Packages).map_err(Error::Uv);
    }
    if finished.said.contains("No solution found") && !is_the_network(uv, &finished.said) {
        return Ok(Answer::Unsolvable(finished.said));
    }
    Err(failure(uv, &finished.said))
}

/// A lock file that holds nothing but versions.
fn preferences(question: &Question<'_>) -> String {
    let version = &question.interpreter.python.version;
    let mut text =
        format!("lock-version = \"1.0\"\ncreated-by = \"uv\"\nrequires-python = \">={version}\"\n");
    for Locked { name, version, .. } in question.preferences {
        let _ = write!(
            text,
            "\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\nwheels = []\n"
        );
    }
    text
}

fn versions_of(pylock: &str) -> Result<Vec<Locked>, String> {
    let table: toml::Table = pylock.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let packages = table.get("packages").and_then(toml::Value::as_array);
    let text = |package: &toml::Value, key| {
        package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    Ok(packages
        .into_iter()
        .flatten()
        .map(|package| Locked {
            name: text(package, "name"),
            version: text(package, "version"),
            sha256: Vec::new(),
        })
        .collect())
}

/// Whether a package "was not found" only because nobody could be asked.
fn is_the_network(uv: &Uv, said: &str) -> bool {
    uv.offline()
        && (said.contains("network was disabled") || said.contains("not found in the cache"))
        || said.contains("was not found in the package registry")
            && said.contains("(401 Unauthorized)")
        || said.contains("(403 Forbidden)")
}

/// A typed error for anything but unsolvable requirements.
pub(crate) fn failure(uv: &Uv, said: &str) -> Error {
    let reason = reason(said);
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["Hash mismatch"]) {
        return Error::HashMismatch { detail: reason };
    }
    if has(&["401 Unauthorized", "403 Forbidden", "Missing credentials"]) {
        return Error::Index { reason, remedy: IndexRemedy::Credentials };
    }
    if uv.offline() {
        return Error::Index { reason, remedy: IndexRemedy::Offline };
    }
    if has(&["Failed to fetch", "error sending request", "Request failed", "Failed to download"]) {
        return Error::Index { reason, remedy: IndexRemedy::Network };
    }
    Error::Uv(reason)
}

/// The sentences of `uv`'s error without its layout, at most 400 characters.
fn reason(said: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let start = said.find("error:").unwrap_or(0);
    for line in said[start..].lines() {
        let line = line.trim().trim_start_matches(['×', '╰', '├', '─', '▶', '│']).trim();
        let line = ["error:", "cause:", "Caused by:", "hint:"]
            .iter()
            .find_map(|label| line.strip_prefix(label))
            .unwrap_or(line)
            .trim();
        if !line.is_empty() {
            words.push(line);
        }
    }
    let text = words.join("; ");
    if text.is_empty() {
        return "it ended without a word".to_owned();
    }
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
