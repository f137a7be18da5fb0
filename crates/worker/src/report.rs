//! How a sandboxed run ended, in the words of a task.

use domain::Text;
use domain::task::{ErrorKind, Measured, TaskError};
use engine::{End, Report, StagedArtifact};
use sandbox::{Failure, FailureKind, Outputs, OutputsError};

/// The report of an outcome.
pub(crate) fn of(outcome: sandbox::Outcome, measured: Measured) -> Report {
    let sandbox::Outcome { end, outputs, .. } = outcome;
    let artifacts = staged(&outputs);
    match (end, artifacts) {
        (sandbox::End::Result { json, non_finite, .. }, Ok(artifacts)) => {
            Report { end: End::Result { json, non_finite }, measured, artifacts }
        }
        (sandbox::End::Result { .. }, Err(error)) => {
            Report { end: End::Failed(unusable_outputs(&error)), measured, artifacts: Vec::new() }
        }
        // What a failed run left may explain the failure; where it can't be
        // read, the failure itself counts.
        (sandbox::End::Failed(failure), artifacts) => Report {
            end: End::Failed(error(failure)),
            measured,
            artifacts: artifacts.unwrap_or_default(),
        },
    }
}

fn staged(outputs: &Outputs) -> Result<Vec<StagedArtifact>, OutputsError> {
    outputs
        .list()?
        .into_iter()
        .map(|entry| {
            let file = outputs.open(&entry.name)?;
            Ok(StagedArtifact { name: entry.name, bytes: entry.bytes, file })
        })
        .collect()
}

fn unusable_outputs(error: &OutputsError) -> TaskError {
    match error {
        OutputsError::TooMany { limit } => TaskError {
            limit: Some(as_number(*limit)),
            unit: Some("files".to_owned()),
            ..TaskError::new(
                ErrorKind::OutputTooLarge,
                Text::new(
                    format!("the run left more than {limit} files; write fewer, or one archive"),
                    format!(
                        "l'exécution a laissé plus de {limit} fichiers ; écrivez-en moins, ou une seule archive"
                    ),
                ),
            )
        },
        OutputsError::TooLarge { limit, measured } => TaskError {
            limit: Some(as_number(*limit)),
            measured: Some(as_number(*measured)),
            unit: Some("bytes".to_owned()),
            ..TaskError::new(
                ErrorKind::OutputTooLarge,
                Text::new(
                    format!("the run left {measured} bytes of files, {limit} are allowed"),
                    format!(
                        "l'exécution a laissé {measured} octets de fichiers, {limit} sont permis"
                    ),
                ),
            )
        },
        OutputsError::Link { name } => invalid(
            format!("{name:?} in the outputs folder is a symbolic link; copy the file instead"),
            format!(
                "{name:?} dans le dossier des sorties est un lien symbolique ; copiez plutôt le fichier"
            ),
        ),
        OutputsError::HardLink { name } => invalid(
            format!("{name:?} in the outputs folder is a hard link; copy the file instead"),
            format!(
                "{name:?} dans le dossier des sorties est un lien physique ; copiez plutôt le fichier"
            ),
        ),
        OutputsError::NotAFile { name } => invalid(
            format!(
                "{name:?} in the outputs folder is no regular file; remove it before returning"
            ),
            format!(
                "{name:?} dans le dossier des sorties n'est pas un fichier ordinaire ; supprimez-le avant de terminer"
            ),
        ),
        OutputsError::BadName { name } => invalid(
            format!(
                "the name {name:?} in the outputs folder is not valid UTF-8, or holds a control character; choose another"
            ),
            format!(
                "le nom {name:?} dans le dossier des sorties n'est pas de l'UTF-8 valide, ou contient un caractère de contrôle ; choisissez-en un autre"
            ),
        ),
        OutputsError::TooDeep { limit } => invalid(
            format!(
                "folders are nested deeper than {limit} in the outputs folder; write fewer levels, or one archive"
            ),
            format!(
                "le dossier des sorties contient plus de {limit} niveaux de dossiers ; réduisez leur nombre, ou écrivez une seule archive"
            ),
        ),
        OutputsError::Io(_) => TaskError::new(
            ErrorKind::Internal,
            Text::new(
                "the files of the run could not be read",
                "les fichiers de l'exécution n'ont pas pu être lus",
            ),
        ),
    }
}

fn invalid(en: String, fr: String) -> TaskError {
    TaskError::new(ErrorKind::InvalidOutput, Text::new(en, fr))
}

fn error(failure: Failure) -> TaskError {
    let Failure { kind, message, french, traceback } = failure;
    let base =
        |kind, text| TaskError { traceback: traceback.clone(), ..TaskError::new(kind, text) };
    let text = match french {
        Some(french) => Text::new(message, french),
        None => Text::same(message),
    };
    match kind {
        FailureKind::UserError { exception } => {
            TaskError { exception: Some(exception), ..base(ErrorKind::UserError, text) }
        }
        FailureKind::Unencodable { pointer } => {
            TaskError { pointer: Some(pointer), ..base(ErrorKind::InvalidOutput, text) }
        }
        FailureKind::Timeout { limit, measured } => TaskError {
            limit: Some(limit.as_secs_f64()),
            measured: Some(measured.as_secs_f64()),
            unit: Some("s".to_owned()),
            ..base(
                ErrorKind::Timeout,
                Text::new(
                    format!(
                        "the run took longer than its {} s; ask for a longer `timeout`, or make it faster",
                        limit.as_secs_f64()
                    ),
                    format!(
                        "l'exécution a dépassé ses {} s ; demandez un `timeout` plus long, ou accélérez le calcul",
                        limit.as_secs_f64()
                    ),
                ),
            )
        },
        FailureKind::OutOfMemory { limit_bytes, peak_bytes } => TaskError {
            limit: Some(as_number(limit_bytes)),
            measured: Some(as_number(peak_bytes)),
            unit: Some("bytes".to_owned()),
            ..base(
                ErrorKind::OutOfMemory,
                Text::new(
                    format!(
                        "the run needed more than its {} MB of memory; raise `runtime.memory_limit`, or use less",
                        limit_bytes >> 20
                    ),
                    format!(
                        "l'exécution a dépassé ses {} Mo de mémoire ; augmentez `runtime.memory_limit`, ou consommez moins",
                        limit_bytes >> 20
                    ),
                ),
            )
        },
        FailureKind::Killed { .. } => base(ErrorKind::Killed, text),
        FailureKind::OutputTooLarge { limit, measured } => TaskError {
            limit: Some(as_number(limit)),
            measured: Some(as_number(measured)),
            unit: Some("bytes".to_owned()),
            ..base(
                ErrorKind::OutputTooLarge,
                Text::new(
                    format!(
                        "the result is larger than {limit} bytes; return less, or write a file to the outputs folder"
                    ),
                    format!(
                        "le résultat dépasse {limit} octets ; renvoyez-en moins, ou écrivez un fichier dans le dossier des sorties"
                    ),
                ),
            )
        },
        FailureKind::InvalidOutput => base(ErrorKind::InvalidOutput, text),
        FailureKind::Cancelled | FailureKind::Internal => base(ErrorKind::Internal, text),
    }
}

#[expect(clippy::cast_precision_loss, reason = "byte counts are far below 2⁵³")]
fn as_number(bytes: u64) -> f64 {
    bytes as f64
}
