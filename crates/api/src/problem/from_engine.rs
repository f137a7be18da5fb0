//! The one place where an error of the engine becomes an HTTP answer.

use std::time::Duration;

use axum::http::{HeaderValue, header};
use domain::Text;
use engine::{Error, Reached, git};

use super::{Code, Problem, Quota};

/// When to try again after a failure that is not the caller's.
const SOON: Duration = Duration::from_secs(2);

/// The same where a package index does not answer.
const PACKAGES_SOON: Duration = Duration::from_secs(30);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(_) => Self::not_found(),
            Error::Unauthenticated => Self::unauthenticated(true),
            Error::Forbidden { needed } => Self::forbidden(Text::new(
                format!("This needs the role {needed}. Ask an administrator of your company."),
                format!(
                    "Ceci demande le rôle {needed}. Adressez-vous à un administrateur de votre \
                     entreprise."
                ),
            )),
            Error::OutOfScope { needed } => Self::out_of_scope(needed),
            Error::WrongLogin => Self::new(
                Code::WrongLogin,
                Text::new(
                    "There is no user with this name and this password. Check both; a lost \
                     password is set anew by an invitation of an administrator.",
                    "Aucun utilisateur n'a ce nom et ce mot de passe. Vérifiez les deux ; un mot \
                     de passe perdu se remplace par l'invitation d'un administrateur.",
                ),
            ),
            Error::NoCompany => Self::new(
                Code::NoCompany,
                Text::new(
                    "The password is right, and you are no member of this company. Ask one of \
                     its administrators for an invitation.",
                    "Le mot de passe est juste, mais vous n'êtes pas membre de cette entreprise. \
                     Demandez une invitation à l'un de ses administrateurs.",
                ),
            ),
            Error::TooManyLogins { retry_after } => Self::new(
                Code::TooManyLogins,
                Text::new(
                    "Too many logins failed here. Wait as long as Retry-After says.",
                    "Trop de connexions ont échoué ici. Attendez la durée de Retry-After.",
                ),
            )
            .retry_after(retry_after),
            Error::LoginsBusy { retry_after } => Self::unavailable(Text::new(
                "Too many people log in at once. Try again in a moment.",
                "Trop de personnes se connectent en même temps. Réessayez dans un instant.",
            ))
            .retry_after(retry_after),
            Error::Git(error) => Self::of_git(&error),
            Error::FetchesBusy { retry_after } => Self::new(
                Code::GitBusy,
                Text::new(
                    "Other repositories are being fetched. Wait as long as Retry-After says, or \
                     send the archive.",
                    "D'autres dépôts sont en cours de lecture. Attendez la durée de Retry-After, \
                     ou envoyez l'archive.",
                ),
            )
            .retry_after(retry_after),
            Error::InvitationGone => Self::new(
                Code::InvitationGone,
                Text::new(
                    "The invitation is unknown, was used or revoked, or has ended. Ask for \
                     another one.",
                    "L'invitation est inconnue, déjà utilisée, révoquée ou expirée. \
                     Demandez-en une autre.",
                ),
            ),
            Error::Invalid(faults) => {
                Self::new(Code::InvalidBody, counted(faults.len())).with_faults(faults)
            }
            Error::NoEnvironment(faults) => Self::unavailable(Text::new(
                "The packages can't be had at the moment. Try again, or tell the operator.",
                "Les paquets ne peuvent être obtenus pour l'instant. Réessayez, ou prévenez \
                 l'exploitant.",
            ))
            .with_faults(faults)
            .retry_after(PACKAGES_SOON),
            Error::TooLarge { what, limit_bytes } => Self::too_large(what, limit_bytes),
            Error::NameTaken { name, .. } => Self::new(
                Code::NameTaken,
                Text::new(
                    format!("The name `{name}` is taken. Choose another one."),
                    format!("Le nom `{name}` est déjà pris. Choisissez-en un autre."),
                ),
            ),
            Error::WrongState { what, state } => Self::wrong_state(what, state),
            Error::QueueFull { queued, retry_after } => Self::unavailable(Text::new(
                format!("{queued} tasks are waiting, and the queue takes no more."),
                format!("{queued} tâches sont en attente, et la file n'en prend pas plus."),
            ))
            .retry_after(retry_after),
            Error::CompanyQueueFull { queued, limit, retry_after } => Self::new(
                Code::QueueFull,
                Text::new(
                    format!("{queued} of the {limit} tasks that your company may have waiting."),
                    format!("{queued} tâches en attente sur les {limit} de votre entreprise."),
                ),
            )
            .retry_after(retry_after),
            Error::QuotaReached(reached) => Self::quota_reached(reached),
            Error::StorageFull { limit_bytes, used_bytes } => Self::new(
                Code::StorageFull,
                Text::new(
                    format!("Your company keeps {used_bytes} of the {limit_bytes} bytes that it may; this does not fit. Delete tasks with their files, or ask the operator for more."),
                    format!("Votre entreprise conserve {used_bytes} octets sur les {limit_bytes} permis ; ceci n'y tient pas. Supprimez des tâches avec leurs fichiers, ou demandez plus à l'exploitant."),
                ),
            )
            .of_quota(Quota {
                name: "storage_bytes",
                limit: limit_bytes as f64,
                used: used_bytes as f64,
                resets_at: None,
            }),
            Error::ShuttingDown => Self::unavailable(Text::new(
                "The server is shutting down. Try again in a moment.",
                "Le serveur s'arrête. Réessayez dans un instant.",
            ))
            .retry_after(SOON),
            Error::Store(error) => Self::broken("database", &error),
            Error::Blobs(error) => Self::broken("storage", &error),
            Error::Broker(error) => Self::broken("broker", &error),
            Error::Internal(reason) => {
                tracing::error!(reason, "an invariant of the engine is broken");
                Self::internal()
            }
        }
    }
}

impl Problem {
    /// Who calls is not known; `shown` where a token came that is not valid.
    pub(crate) fn unauthenticated(shown: bool) -> Self {
        let (challenge, detail) = match shown {
            true => (
                "Bearer realm=\"mecapy\", error=\"invalid_token\"",
                Text::new(
                    "The token is unknown, expired or revoked. Make another one with \
                     `mecapy token create`.",
                    "Le jeton est inconnu, expiré ou révoqué. Créez-en un autre avec \
                     `mecapy token create`.",
                ),
            ),
            false => (
                "Bearer realm=\"mecapy\"",
                Text::new(
                    "Send your token in the header `Authorization: Bearer mecapy_…`.",
                    "Envoyez votre jeton dans l'en-tête `Authorization: Bearer mecapy_…`.",
                ),
            ),
        };
        Self::new(Code::Unauthenticated, detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    fn quota_reached(reached: Reached) -> Self {
        let Reached { quota, limit, used, resets_at, resets_in } = reached;
        let (en, fr) = match quota {
            "tasks_per_day" => ("tasks", "tâches"),
            _ => ("CPU seconds", "secondes de processeur"),
        };
        Self::new(
            Code::QuotaReached,
            Text::new(
                format!("Your company has used {used:.0} of its {limit:.0} {en} of today. They begin anew at {resets_at}."),
                format!("Votre entreprise a utilisé {used:.0} de ses {limit:.0} {fr} du jour. Le compte repart à {resets_at}."),
            ),
        )
        .of_quota(Quota { name: quota, limit, used, resets_at: Some(resets_at) })
        .retry_after(resets_in)
    }

    /// Why a repository was not fetched, at the field that it is about.
    fn of_git(error: &git::Error) -> Self {
        let code = error.code();
        let code = Code::ALL.iter().copied().find(|known| known.as_str() == code);
        match code.filter(|code| *code != Code::Internal) {
            Some(code) => {
                let faults = error.faults();
                Self::new(code, counted(faults.len())).with_faults(faults)
            }
            None => {
                tracing::error!(%error, "a repository could not be fetched");
                Self::internal()
            }
        }
    }

    /// The session of the cookie has ended.
    pub(crate) fn session_ended() -> Self {
        let detail = Text::new(
            "Your session has ended. Log in again.",
            "Votre session a pris fin. Reconnectez-vous.",
        );
        let challenge = HeaderValue::from_static("Bearer realm=\"mecapy\"");
        Self::new(Code::Unauthenticated, detail).with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// The token is narrowed to other scopes.
    pub(crate) fn out_of_scope(needed: &str) -> Self {
        Self::new(
            Code::OutOfScope,
            Text::new(
                format!("This needs a token with the scope `{needed}`. Make one that has it."),
                format!("Ceci demande un jeton de portée `{needed}`. Créez-en un qui l'a."),
            ),
        )
    }

    /// What is asked needs another state than the present one.
    fn wrong_state(what: &str, state: &str) -> Self {
        let ended = matches!(state, "completed" | "failed" | "cancelled" | "deployed");
        let (en, fr) = match ended {
            true => (
                format!("The {what} has ended as `{state}`, which leaves nothing to do here."),
                format!("État final : `{state}`. Il n'y a plus rien à faire ici."),
            ),
            false => (
                format!("The {what} is `{state}`. Wait until it has ended, or cancel it."),
                format!("État actuel : `{state}`. Attendez la fin, ou annulez."),
            ),
        };
        Self::new(Code::WrongState, Text::new(en, fr))
    }

    /// Why a task was not accepted: faults are those of its inputs.
    pub(crate) fn of_submission(error: Error) -> Self {
        match error {
            Error::Invalid(faults) => {
                Self::new(Code::InvalidInputs, counted(faults.len())).with_faults(faults)
            }
            error => error.into(),
        }
    }

    /// What was sent is larger than allowed.
    pub(crate) fn too_large(what: &str, limit_bytes: u64) -> Self {
        let french = match what {
            "archive" => "L'archive",
            "inputs" => "Le corps des entrées",
            "file" => "Le fichier",
            _ => "Le corps",
        };
        Self::new(
            Code::PayloadTooLarge,
            Text::new(
                format!("The {what} is larger than {limit_bytes} bytes, which is the limit here."),
                format!("{french} dépasse {limit_bytes} octets, la limite ici."),
            ),
        )
    }

    fn unavailable(detail: Text) -> Self {
        Self::new(Code::Unavailable, detail)
    }

    fn broken(part: &'static str, error: &dyn std::error::Error) -> Self {
        tracing::error!(part, %error, "a part of the platform does not answer");
        Self::unavailable(Text::new(
            "A part of the platform does not answer. Try again in a moment.",
            "Une partie de la plateforme ne répond pas. Réessayez dans un instant.",
        ))
        .retry_after(SOON)
    }
}

/// The detail above a list of faults.
pub(crate) fn counted(count: usize) -> Text {
    match count {
        1 => Text::new("One fault was found.", "Une erreur a été trouvée."),
        _ => Text::new(
            format!("{count} faults were found."),
            format!("{count} erreurs ont été trouvées."),
        ),
    }
}
