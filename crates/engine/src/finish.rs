//! The end of an attempt: its files kept, its result stored once, its
//! waiters told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::{Audience, LiveEvent, Topic};
use bytes::Bytes;
use domain::task::{ErrorKind, Measured, Progress, State, TaskError};
use domain::{ArtifactId, Digest, Fault, TaskId, Text};
use sha2::Digest as _;
use store::tasks::{Artifact, Ending, Finished, Lease as Attempt, Outcome, ResultRef, Task};

use crate::dispatch::Work;
use crate::unwritten::{Told, written};
use crate::{Engine, Error};

/// The longest wait before another attempt.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

/// A result from this size on is checked on a thread of its own.
const LARGE_RESULT: usize = 64 << 10;
/// Warnings of missing files beyond this many add nothing.
const MOST_MISSING: usize = 20;

/// What an ending leaves in the object store.
fn kept_bytes(ending: &Ending) -> u64 {
    let result = match &ending.outcome {
        Outcome::Completed { result: ResultRef::Blob { bytes, .. }, .. } => *bytes,
        _ => 0,
    };
    ending.artifacts.iter().map(|artifact| artifact.bytes).sum::<u64>() + result
}

/// What a worker reports of an attempt.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// What was measured.
    pub measured: Measured,
    /// Files that the run left, already open: their paths are the run's own
    /// and are never followed.
    pub artifacts: Vec<StagedArtifact>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum End {
    /// With a result.
    Result {
        /// The exact bytes of the run's encoder: one JSON object.
        json: Bytes,
        /// JSON Pointers of NaN and infinities.
        non_finite: Vec<String>,
    },
    /// With an error.
    Failed(TaskError),
    /// By request.
    Cancelled,
    /// The worker drains, and the attempt does not count.
    HandBack,
}

/// A file that a run left.
#[derive(Debug)]
pub struct StagedArtifact {
    /// Its path below the outputs folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The file, open for reading.
    pub file: std::fs::File,
}

impl Engine {
    /// Takes note that the process of an attempt is gone and its slot is about
    /// to be free; [`Engine::finish`] follows.
    pub async fn leave_slot(&self, task: TaskId) -> Result<(), Error> {
        Ok(self.broker.vacate(task).await?)
    }

    /// Ends an attempt. Whatever is told after the first ending of a task, or
    /// by a worker that lost its lease, is fenced and stored nowhere.
    pub async fn finish(&self, work: Work, report: Report) -> Result<Finished, Error> {
        let Work { lease, task, deployed, origin, confirmed, .. } = work;
        let reported = self.clock.now();
        let id = task.id;
        // Nothing is kept of a run whose claim was not written.
        if !self.unwritten.is_held(id) && !confirm(confirmed.clone()).await {
            return self.forget(lease).await;
        }
        let spent_ms = report.measured.startup_ms + report.measured.execution_ms;
        let (ending, artifacts) = match self.ending(&lease, &task, &deployed, report).await {
            Ok(ending) => ending,
            Err(error) => {
                let request_id = origin.as_ref().and_then(|origin| origin.request_id.as_deref());
                tracing::error!(request_id, task.id = %id, "a result could not be kept: {error}");
                let outcome = outcome_of(&task, storage_failed());
                (
                    Ending {
                        outcome,
                        progress: None,
                        measured: Measured::default(),
                        artifacts: Vec::new(),
                    },
                    0,
                )
            }
        };
        let request_id = origin.as_ref().and_then(|origin| origin.request_id.as_deref());
        tracing::debug!(request_id, task.id = %id, artifacts, "attempt ended");
        let handed_back = matches!(ending.outcome, Outcome::HandBack);
        let retry_delay = match &ending.outcome {
            Outcome::Retry { delay, .. } => *delay,
            _ => Duration::ZERO,
        };
        let storing = Instant::now();
        let finished = self.store_ending(lease, &task, &ending, confirmed).await;
        let stored = storing.elapsed();
        self.running.leave(&lease);
        match &finished {
            // Who took the task over took it out of the broker's books, and
            // what stands there now is another attempt's.
            Ok(Finished::Fenced) => {}
            Ok(Finished::Stored(State::Queued)) if handed_back => {
                late(id, self.broker.hand_back(id).await);
            }
            _ => late(id, self.broker.settle(id, spent_ms).await),
        }
        let finished = finished?;
        let Finished::Stored(state) = finished else { return Ok(finished) };
        self.count_run(lease.company, ending.measured.cpu_ms, kept_bytes(&ending));
        self.measures.ended(&task, &ending, state, stored);
        if let Some(trace) = origin.and_then(|origin| origin.trace) {
            crate::trace::attempt(trace, &task, &ending, reported, self.clock.now());
        }
        if state == State::Queued {
            if !handed_back {
                self.requeue(task, retry_delay).await?;
            }
        } else {
            if state == State::Completed {
                deployed.learn(ending.measured.execution_ms);
            }
            self.ended(ended(task, state, ending, self.clock.now()));
        }
        self.announce(lease.company, id);
        Ok(finished)
    }

    /// Stores an ending: with the task itself where that is still held.
    async fn store_ending(
        &self,
        lease: Attempt,
        task: &Task,
        ending: &Ending,
        confirmed: Option<Told>,
    ) -> Result<Finished, store::Error> {
        match state_of(&ending.outcome) {
            Some(state) => {
                let ended = ended(task.clone(), state, ending.clone(), self.clock.now());
                if self.write_ended(&ended, &ending.artifacts).await? {
                    return Ok(Finished::Stored(state));
                }
            }
            None => self.write_held(task.id).await,
        }
        if !confirm(confirmed).await {
            return Ok(Finished::Fenced);
        }
        self.store.finish(lease, ending.clone()).await
    }

    /// Drops an attempt that was never written.
    async fn forget(&self, lease: Attempt) -> Result<Finished, Error> {
        self.running.leave(&lease);
        late(lease.task, self.broker.remove(lease.task).await);
        Ok(Finished::Fenced)
    }

    /// Keeps what the attempt left in blobs and says what becomes of it.
    async fn ending(
        &self,
        lease: &Attempt,
        task: &Task,
        deployed: &Arc<crate::Deployed>,
        report: Report,
    ) -> Result<(Ending, usize), Error> {
        let Report { end, measured, artifacts: staged } = report;
        let mut progress = None;
        let (mut log, mut notice) = (Vec::new(), None);
        self.running.update(lease, |live| {
            progress = live.progress.take();
            notice = live.notice(self.limits.log_bytes);
            if !live.log.is_empty() || notice.is_some() {
                log = live.text(self.limits.log_bytes);
            }
        });
        if let Some(notice) = notice {
            self.tell(lease, crate::watch::LOG, Audience::Topic, notice.into());
        }
        if !log.is_empty() {
            let key = crate::tasks::log_key(task.company, task.id);
            self.blobs.put(key, log.into()).await?;
        }
        let mut artifacts = Vec::with_capacity(staged.len());
        for StagedArtifact { name, bytes, file } in staged {
            let digest =
                self.blobs.put_file(task.company, blobs::Area::Artifact, file, bytes).await?.digest;
            let artifact = Artifact {
                id: ArtifactId::new(),
                media_type: crate::files::media_type(&name).to_owned(),
                name,
                bytes,
                digest,
            };
            artifacts.push(artifact);
        }
        let outcome = match end {
            End::Result { json, non_finite } => {
                let (json, warnings) =
                    if json.len() > LARGE_RESULT || deployed.schemas.outputs_may_be_slow() {
                        let deployed = deployed.clone();
                        let (names, files) = (non_finite.clone(), artifacts.clone());
                        self.apart(task.company, move || checked(&deployed, json, &names, &files))
                            .await?
                    } else {
                        checked(deployed, json, &non_finite, &artifacts)
                    };
                let result = self.keep_result(task, json).await?;
                Outcome::Completed { result, non_finite, warnings }
            }
            End::Failed(error) => {
                let image = deployed.version.manifest.runtime.base_image;
                outcome_of(task, crate::remedy::remedied(error, image))
            }
            End::Cancelled => Outcome::Cancelled,
            End::HandBack => Outcome::HandBack,
        };
        let count = artifacts.len();
        Ok((Ending { outcome, progress, measured, artifacts }, count))
    }

    async fn keep_result(&self, task: &Task, json: Bytes) -> Result<ResultRef, Error> {
        if json.len() as u64 <= self.limits.inline_result_bytes {
            return Ok(ResultRef::Inline(json.to_vec()));
        }
        let digest = Digest(sha2::Sha256::digest(&json).into());
        let bytes = json.len() as u64;
        self.blobs.put(crate::tasks::result_key(task.company, digest), json).await?;
        Ok(ResultRef::Blob { digest, bytes })
    }

    /// Tells whoever waits for the task, and remembers it for a while.
    pub(crate) fn ended(&self, task: Task) {
        let task = Arc::new(task);
        self.recent.insert(task.id, task.clone());
        self.broker.ended(task.id, task.state);
    }

    /// Puts a task back into the queue for its next attempt.
    pub(crate) async fn requeue(&self, mut task: Task, delay: Duration) -> Result<(), Error> {
        task.available_at = self.clock.now().after(delay);
        task.state = State::Queued;
        let company = self.company_seen(task.company).await?;
        late(task.id, self.broker.enqueue(crate::submit::queued(&task, &company)).await);
        Ok(())
    }

    /// Appends to the log of a running task and shows it to who watches.
    pub fn log(&self, work: &Attempt, chunk: &[u8]) {
        let mut told = String::new();
        self.running.update(work, |live| told = live.append(chunk, self.limits.log_bytes));
        if !told.is_empty() {
            self.tell(work, crate::watch::LOG, Audience::Topic, told.into());
            self.show(work);
        }
    }

    /// Notes that the sandbox cut `bytes` off the log of a running task. Who
    /// watches is told at once that this begins, and in the end how much it
    /// was.
    pub fn log_cut(&self, work: &Attempt, bytes: u64) {
        let mut is_first = false;
        self.running.update(work, |live| {
            is_first = live.log_cut_bytes == 0;
            live.log_cut_bytes += bytes;
        });
        if is_first {
            let limit = self.limits.log_bytes;
            let notice = format!(
                "\n[mecapy: a log holds {limit} bytes at most; what follows is cut]\n\
                 [mecapy : un journal contient au plus {limit} octets ; la suite est coupée]\n"
            );
            self.tell(work, crate::watch::LOG, Audience::Topic, notice.into());
        }
    }

    /// Sets the progress of a running task and shows it to who watches.
    pub fn progress(&self, work: &Attempt, progress: Progress) {
        let data = serde_json::json!(progress);
        if self.running.update(work, |live| live.progress = Some(progress)) {
            self.tell(work, crate::watch::PROGRESS, Audience::Company, data);
            self.show(work);
        }
    }

    fn tell(
        &self,
        work: &Attempt,
        kind: &'static str,
        audience: Audience,
        data: serde_json::Value,
    ) {
        let topic = Topic { company: work.company, resource: work.task.0 };
        self.broker.publish(topic, LiveEvent { kind: kind.into(), data, audience });
    }
}

/// A result with its artifacts named, and the warnings it earns.
fn checked(
    deployed: &crate::Deployed,
    json: Bytes,
    non_finite: &[String],
    artifacts: &[Artifact],
) -> (Bytes, Vec<Fault>) {
    let (json, missing) = name_artifacts(deployed, json, artifacts);
    let mut warnings = deployed.schemas.check_outputs(&json, non_finite);
    warnings.extend(missing);
    (json, warnings)
}

/// Replaces paths of output files by the references of their artifacts; every
/// other byte of the result stays as it is. A path that is none of a file that
/// the run left earns a warning.
fn name_artifacts(
    deployed: &crate::Deployed,
    json: Bytes,
    artifacts: &[Artifact],
) -> (Bytes, Vec<Fault>) {
    let mut named = Vec::new();
    let mut missing = Vec::new();
    for file in deployed.schemas.output_files(&json) {
        match artifacts.iter().find(|artifact| is_path_of(&file.reference, artifact)) {
            Some(artifact) => {
                named.push(crate::files::replacement(&file.pointer, &artifact.id.to_string()));
            }
            None if missing.len() < MOST_MISSING => {
                missing.push(missing_file(&file.pointer, &file.reference));
            }
            None => {}
        }
    }
    if named.is_empty() {
        return (json, missing);
    }
    (package::replace(&json, &named).map_or(json, Bytes::from), missing)
}

fn missing_file(pointer: &str, path: &str) -> Fault {
    let shown: String = path.chars().take(80).collect();
    Fault::warning(
        "output_file_missing",
        Text::new(
            format!(
                "expected the path of a file in the outputs folder, found {shown:?}; write the file below mecapy_runtime.outputs()"
            ),
            format!(
                "attendu : le chemin d'un fichier du dossier des sorties ; reçu : {shown:?} ; écrivez le fichier sous mecapy_runtime.outputs()"
            ),
        ),
    )
    .at_key(pointer)
}

/// Whether a handler named the artifact: by its path below the outputs folder
/// or by its whole path.
fn is_path_of(path: &str, artifact: &Artifact) -> bool {
    path == artifact.name
        || path
            .strip_suffix(&artifact.name)
            .is_some_and(|above| above.starts_with('/') && above.ends_with("/outputs/"))
}

/// What becomes of a task whose attempt failed: another attempt where its
/// policy has one left for this kind of error.
fn outcome_of(task: &Task, error: TaskError) -> Outcome {
    let again = error.kind.is_platform()
        || (task.retry.on_user_error && error.kind == ErrorKind::UserError);
    if !again || task.attempt >= task.retry.max_attempts {
        return Outcome::Failed(error);
    }
    let doubled = 2u32.saturating_pow(task.attempt.saturating_sub(1));
    let delay = Duration::from_secs(task.retry.backoff_s.into()).saturating_mul(doubled);
    Outcome::Retry { error, delay: delay.min(LONGEST_BACKOFF) }
}

fn storage_failed() -> TaskError {
    TaskError::new(
        ErrorKind::Internal,
        Text::new(
            "the result could not be stored; the operator finds the reason in the server's log",
            "le résultat n'a pas pu être enregistré ; l'exploitant en trouve la raison dans le journal du serveur",
        ),
    )
}

/// A broker that is away learns later what the database knows already.
pub(crate) fn late<T>(task: TaskId, told: Result<T, broker::Error>) {
    if let Err(error) = told {
        tracing::warn!(task.id = %task, "the queue learns later of a task: {error}");
    }
}

/// Whether what an attempt depends on was written.
async fn confirm(confirmed: Option<Told>) -> bool {
    match confirmed {
        Some(told) => written(told).await.is_ok(),
        None => true,
    }
}

/// The state in which an outcome leaves its task for good.
fn state_of(outcome: &Outcome) -> Option<State> {
    match outcome {
        Outcome::Completed { .. } => Some(State::Completed),
        Outcome::Failed(_) => Some(State::Failed),
        Outcome::Cancelled => Some(State::Cancelled),
        Outcome::Retry { .. } | Outcome::HandBack => None,
    }
}

/// Why the attempt failed, where it did.
pub(crate) fn kind_of(outcome: &Outcome) -> Option<ErrorKind> {
    match outcome {
        Outcome::Failed(error) | Outcome::Retry { error, .. } => Some(error.kind),
        Outcome::Completed { .. } | Outcome::Cancelled | Outcome::HandBack => None,
    }
}

/// The task as it now stands in the database.
fn ended(mut task: Task, state: State, ending: Ending, now: domain::Timestamp) -> Task {
    task.state = state;
    task.completed_at = Some(now);
    task.progress = ending.progress;
    task.measured = Some(ending.measured);
    match ending.outcome {
        Outcome::Completed { result, non_finite, warnings } => {
            task.result = Some(result);
            task.non_finite = non_finite;
            task.warnings = warnings;
        }
        Outcome::Failed(error) | Outcome::Retry { error, .. } => task.error = Some(error),
        Outcome::Cancelled | Outcome::HandBack => {}
    }
    task
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::tests::task;

    fn error(kind: ErrorKind) -> TaskError {
        TaskError::new(kind, Text::same("x"))
    }

    #[test]
    fn what_the_platform_broke_is_tried_again_with_doubled_waits() {
        let mut task = task();
        task.retry.backoff_s = 2;
        for (attempt, seconds) in [(1, 2), (2, 4)] {
            task.attempt = attempt;
            let Outcome::Retry { delay, .. } = outcome_of(&task, error(ErrorKind::Internal)) else {
                panic!("expected another attempt")
            };
            assert_eq!(delay, Duration::from_secs(seconds));
        }
        task.attempt = 3;
        assert!(matches!(outcome_of(&task, error(ErrorKind::Internal)), Outcome::Failed(_)));
    }

    #[test]
    fn a_users_error_is_tried_again_only_when_asked() {
        let mut task = task();
        task.attempt = 1;
        assert!(matches!(outcome_of(&task, error(ErrorKind::UserError)), Outcome::Failed(_)));
        task.retry.on_user_error = true;
        assert!(matches!(outcome_of(&task, error(ErrorKind::UserError)), Outcome::Retry { .. }));
        assert!(matches!(outcome_of(&task, error(ErrorKind::Timeout)), Outcome::Failed(_)));
    }
}
