//! The public codes of problems: one table of status, titles and page.

use axum::http::StatusCode;
use domain::Lang;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $en:literal, $fr:literal;)*) => {
        /// What went wrong, as a word that never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $en] $name),*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in the answer.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status that it is answered with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            /// The same few words for every problem of this code.
            #[must_use]
            pub fn title(self, lang: Lang) -> &'static str {
                match (self, lang) {
                    $((Self::$name, Lang::En) => $en, (Self::$name, Lang::Fr) => $fr),*
                }
            }

            /// Its page of the documentation, in Markdown, English then French.
            #[must_use]
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../../../docs/errors/", $code, ".md"))),*
                }
            }
        }
    };
}

codes! {
    MalformedRequest = "malformed_request", BAD_REQUEST, "The request can't be read", "La requête est illisible";
    MalformedJson = "malformed_json", BAD_REQUEST, "The body is not valid JSON", "Le corps n'est pas du JSON valide";
    MalformedUpload = "malformed_upload", BAD_REQUEST, "The upload can't be read", "L'envoi est illisible";
    InvalidHeader = "invalid_header", BAD_REQUEST, "A header is not valid", "Un en-tête n'est pas valide";
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A valid token is needed", "Un jeton valide est nécessaire";
    WrongLogin = "wrong_login", UNAUTHORIZED, "The name or the password is wrong", "Le nom ou le mot de passe est faux";
    Forbidden = "forbidden", FORBIDDEN, "Your role does not allow this", "Votre rôle ne le permet pas";
    OutOfScope = "out_of_scope", FORBIDDEN, "Your token is not made for this", "Votre jeton n'est pas fait pour cela";
    CsrfFailed = "csrf_failed", FORBIDDEN, "The request is not from a page of this site", "La requête ne vient pas d'une page de ce site";
    NoCompany = "no_company", FORBIDDEN, "You are no member of this company", "Vous n'êtes pas membre de cette entreprise";
    NotFound = "not_found", NOT_FOUND, "There is no such thing", "Cet élément n'existe pas";
    InvitationGone = "invitation_gone", NOT_FOUND, "The invitation can't be used any more", "L'invitation n'est plus utilisable";
    UnknownRoute = "unknown_route", NOT_FOUND, "There is no such path", "Ce chemin n'existe pas";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The path does not know this method", "Ce chemin ne connaît pas cette méthode";
    TooSlow = "too_slow", REQUEST_TIMEOUT, "The body arrived too slowly", "Le corps est arrivé trop lentement";
    NameTaken = "name_taken", CONFLICT, "The name is taken", "Le nom est déjà pris";
    WrongState = "wrong_state", CONFLICT, "Its state does not allow this", "Son état ne le permet pas";
    IdempotencyInProgress = "idempotency_in_progress", CONFLICT, "The first request with this key is still being answered", "La première requête portant cette clé est encore en cours";
    UriTooLong = "uri_too_long", URI_TOO_LONG, "The address is too long", "L'adresse est trop longue";
    HeadersTooLarge = "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large", "Les en-têtes sont trop volumineux";
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, "The body is too large", "Le corps est trop volumineux";
    StorageFull = "storage_full", PAYLOAD_TOO_LARGE, "Your company's storage is full", "Le stockage de votre entreprise est plein";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body has a type that is not accepted here", "Le corps a un type qui n'est pas accepté ici";
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, "The body is not what this route expects", "Le corps n'est pas celui que cette route attend";
    InvalidParameter = "invalid_parameter", UNPROCESSABLE_ENTITY, "A parameter is not valid", "Un paramètre n'est pas valide";
    InvalidCursor = "invalid_cursor", UNPROCESSABLE_ENTITY, "The cursor is not one of this listing", "Le curseur n'est pas de cette liste";
    InvalidInputs = "invalid_inputs", UNPROCESSABLE_ENTITY, "The inputs violate the function's schema", "Les entrées violent le schéma de la fonction";
    DeploymentFailed = "deployment_failed", UNPROCESSABLE_ENTITY, "The archive was refused", "L'archive a été refusée";
    NotOffered = "not_offered", UNPROCESSABLE_ENTITY, "This is not offered yet", "Ceci n'est pas encore proposé";
    GitUrlRefused = "git_url_refused", UNPROCESSABLE_ENTITY, "This is no https address of a repository", "Ce n'est pas l'adresse https d'un dépôt";
    GitAddressRefused = "git_address_refused", UNPROCESSABLE_ENTITY, "The repository's server is not on the public internet", "Le serveur du dépôt n'est pas sur l'internet public";
    GitUnreachable = "git_unreachable", UNPROCESSABLE_ENTITY, "The repository's server can't be reached", "Le serveur du dépôt est injoignable";
    GitNotFound = "git_not_found", UNPROCESSABLE_ENTITY, "There is no such repository, or it needs a token", "Ce dépôt n'existe pas, ou demande un jeton";
    GitNotUnderstood = "git_not_understood", UNPROCESSABLE_ENTITY, "The server doesn't answer as a Git server", "Le serveur ne répond pas comme un serveur Git";
    GitRefNotFound = "git_ref_not_found", UNPROCESSABLE_ENTITY, "The repository has no such branch, tag or commit", "Le dépôt n'a pas cette branche, cette étiquette ou ce commit";
    GitFolderNotFound = "git_folder_not_found", UNPROCESSABLE_ENTITY, "The repository has no such folder", "Le dépôt n'a pas ce dossier";
    GitEntryRefused = "git_entry_refused", UNPROCESSABLE_ENTITY, "The folder holds what is no plain file", "Le dossier contient autre chose que des fichiers ordinaires";
    GitTooLarge = "git_too_large", UNPROCESSABLE_ENTITY, "The repository is too large", "Le dépôt est trop volumineux";
    GitTooSlow = "git_too_slow", UNPROCESSABLE_ENTITY, "The repository arrived too slowly", "Le dépôt est arrivé trop lentement";
    GitBroken = "git_broken", UNPROCESSABLE_ENTITY, "The repository can't be read", "Le dépôt est illisible";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The key was used for another request", "La clé a servi pour une autre requête";
    QueueFull = "queue_full", TOO_MANY_REQUESTS, "Too many tasks are waiting", "Trop de tâches sont en attente";
    TooManyLogins = "too_many_logins", TOO_MANY_REQUESTS, "Too many logins failed", "Trop de connexions ont échoué";
    QuotaReached = "quota_reached", TOO_MANY_REQUESTS, "Your company's quota is used up", "Le quota de votre entreprise est épuisé";
    GitBusy = "git_busy", TOO_MANY_REQUESTS, "Too many repositories are being fetched", "Trop de dépôts sont en cours de lecture";
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests in a minute", "Trop de requêtes en une minute";
    TooManyStreams = "too_many_streams", TOO_MANY_REQUESTS, "Too many streams of events are open", "Trop de flux d'événements sont ouverts";
    Internal = "internal", INTERNAL_SERVER_ERROR, "The platform failed", "La plateforme a échoué";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The platform can't serve this right now", "La plateforme ne peut pas répondre maintenant";
}

impl Code {
    /// The code that an answer made by the HTTP library itself stands for.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.status() == status)
            .unwrap_or(if status.is_client_error() { Self::InvalidBody } else { Self::Internal })
    }
}
