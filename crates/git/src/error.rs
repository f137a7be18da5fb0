//! Why a repository was not fetched.

use domain::{Fault, Text};
use serde::{Deserialize, Serialize};

/// Why a repository was not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Error {
    /// The URL is none that is fetched from.
    #[error("{0:?} is not the https URL of a repository")]
    Url(String),
    /// The name of the branch, tag or commit can't be one.
    #[error("{0:?} can't be the name of a branch, tag or commit")]
    Reference(String),
    /// The folder's path leads out of the repository, or is none.
    #[error("{0:?} can't be a folder of a repository")]
    Path(String),
    /// The host's address is not one that is called.
    #[error("{host} has the address {address}, which is not public")]
    Address {
        /// The host as it was named.
        host: String,
        /// What it resolved to.
        address: String,
    },
    /// The server can't be reached or broke off.
    #[error("{host} can't be reached: {detail}")]
    Unreachable {
        /// The host as it was named.
        host: String,
        /// What the network said.
        detail: String,
    },
    /// The server asks who calls, or doesn't let this caller in.
    #[error("{0} wants another token")]
    Unauthorized(String),
    /// There is no such repository, or none that the caller may see.
    #[error("{0} has no such repository")]
    NoRepository(String),
    /// What answers is no Git server that is understood.
    #[error("{host} doesn't answer as a Git server: {detail}")]
    NotGit {
        /// The host as it was named.
        host: String,
        /// What it said instead.
        detail: String,
    },
    /// There is no such branch, tag or commit.
    #[error("there is no branch, tag or commit {0:?}")]
    NoReference(String),
    /// A branch and a tag have this name.
    #[error("{0:?} is both a branch and a tag")]
    Ambiguous(String),
    /// There is no such folder at that commit.
    #[error("there is no folder {0:?}")]
    NoFolder(String),
    /// An entry below the folder is no plain file.
    #[error("{path} is a {what}")]
    Entry {
        /// Where.
        path: String,
        /// What it is.
        what: Special,
    },
    /// More than may be sent or unpacked.
    #[error("more than {limit_bytes} bytes")]
    TooLarge {
        /// What is allowed.
        limit_bytes: u64,
    },
    /// More files and folders than are looked at.
    #[error("more than {0} files and folders")]
    TooMany(u64),
    /// It took longer than it may.
    #[error("longer than {0} s")]
    TooSlow(u64),
    /// What came is no valid part of a repository, or takes too much to read.
    #[error("the repository can't be read: {0}")]
    Broken(String),
    /// This machine failed.
    #[error("fetching failed here: {0}")]
    Here(String),
}

/// What an entry of a repository can be that is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Special {
    /// A symbolic link.
    Link,
    /// A commit of another repository.
    Submodule,
    /// A pointer to a file that Git LFS keeps elsewhere.
    Lfs,
}

impl std::fmt::Display for Special {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Link => "symbolic link",
            Self::Submodule => "submodule",
            Self::Lfs => "pointer of Git LFS",
        })
    }
}

impl Error {
    /// Whether whoever asked can do something about it.
    #[must_use]
    pub fn is_the_callers(&self) -> bool {
        !matches!(self, Self::Here(_))
    }

    /// What the person who asked reads.
    #[must_use]
    pub fn fault(&self) -> Fault {
        let (code, key, en, fr) = match self {
            Self::Url(url) => (
                "git_url_invalid",
                "/git_url",
                format!("expected the address of a repository, such as https://host/team/functions.git, without user or password; found {url:?}"),
                format!("attendu : l'adresse d'un dépôt, par exemple https://hote/equipe/fonctions.git, sans utilisateur ni mot de passe ; reçu : {url:?}"),
            ),
            Self::Reference(name) => (
                "git_ref_invalid",
                "/ref",
                format!("expected a branch, a tag or the 40 digits of a commit, found {name:?}"),
                format!("attendu : une branche, une étiquette ou les 40 chiffres d'un commit ; reçu : {name:?}"),
            ),
            Self::Path(path) => (
                "git_path_invalid",
                "/path",
                format!("expected the path of a folder inside the repository, such as functions/bolt, found {path:?}"),
                format!("attendu : le chemin d'un dossier du dépôt, par exemple fonctions/boulon ; reçu : {path:?}"),
            ),
            Self::Address { host, address } => (
                "git_address_refused",
                "/git_url",
                format!("{host} has the address {address}, which is not one of the public internet; the operator can allow it with MECAPY_ALLOWED_NETWORKS"),
                format!("{host} a l'adresse {address}, qui n'est pas sur l'internet public ; l'exploitant peut l'autoriser avec MECAPY_ALLOWED_NETWORKS"),
            ),
            Self::Unreachable { host, detail } => (
                "git_unreachable",
                "/git_url",
                format!("{host} can't be reached ({detail}); check the address, or send the archive instead"),
                format!("{host} est injoignable ({detail}) ; vérifiez l'adresse, ou envoyez l'archive"),
            ),
            Self::Unauthorized(host) => (
                "git_unauthorized",
                "/token",
                format!("{host} doesn't let this caller read the repository: send a `token` that may read it"),
                format!("{host} ne laisse pas lire ce dépôt : envoyez un `token` qui en a le droit"),
            ),
            Self::NoRepository(host) => (
                "git_repository_not_found",
                "/git_url",
                format!("{host} has no such repository, or none that may be read without a `token`"),
                format!("{host} n'a pas ce dépôt, ou aucun qui se lise sans `token`"),
            ),
            Self::NotGit { host, detail } => (
                "git_not_understood",
                "/git_url",
                format!("{host} doesn't answer as a Git server of version 2.18 or later ({detail}); is it the address that `git clone` takes?"),
                format!("{host} ne répond pas comme un serveur Git, version 2.18 ou plus ({detail}) ; est-ce l'adresse que prend `git clone` ?"),
            ),
            Self::NoReference(name) => (
                "git_ref_not_found",
                "/ref",
                format!("the repository has no branch, tag or commit {name:?}"),
                format!("le dépôt n'a ni branche, ni étiquette, ni commit {name:?}"),
            ),
            Self::Ambiguous(name) => (
                "git_ref_ambiguous",
                "/ref",
                format!("{name:?} is a branch and a tag; say refs/heads/{name} or refs/tags/{name}"),
                format!("{name:?} est une branche et une étiquette ; écrivez refs/heads/{name} ou refs/tags/{name}"),
            ),
            Self::NoFolder(path) => (
                "git_folder_not_found",
                "/path",
                format!("the repository has no folder {path:?} at that commit"),
                format!("le dépôt n'a pas de dossier {path:?} à ce commit"),
            ),
            Self::Entry { path, what } => {
                let (en, fr) = match what {
                    Special::Link => ("a symbolic link; put the file itself there", "un lien symbolique ; mettez-y le fichier lui-même"),
                    Special::Submodule => ("a submodule, and those are not fetched; copy its files", "un sous-module, et ceux-ci ne sont pas suivis ; copiez ses fichiers"),
                    Special::Lfs => ("a pointer of Git LFS, and the file behind it is not fetched; commit the file itself or send the archive", "un pointeur Git LFS, et le fichier qu'il désigne n'est pas suivi ; validez le fichier lui-même ou envoyez l'archive"),
                };
                let fault = Fault::error("git_entry_refused", Text::new(format!("expected plain files, found {en}"), format!("attendu : des fichiers ordinaires ; trouvé : {fr}")));
                return fault.in_file(path.clone());
            }
            Self::TooLarge { limit_bytes } => (
                "git_too_large",
                "/git_url",
                format!("the repository is larger than {} at that commit; send the archive, or keep large files elsewhere", mib(*limit_bytes, "MiB")),
                format!("le dépôt dépasse {} à ce commit ; envoyez l'archive, ou gardez les gros fichiers ailleurs", mib(*limit_bytes, "Mio")),
            ),
            Self::TooMany(limit) => (
                "git_too_many_entries",
                "/path",
                format!("there are more than {limit} files and folders below that folder; name a smaller one with `path`"),
                format!("il y a plus de {limit} fichiers et dossiers sous ce dossier ; indiquez-en un plus petit avec `path`"),
            ),
            Self::TooSlow(seconds) => (
                "git_too_slow",
                "/git_url",
                format!("the repository was not fetched within {seconds} s; try again, or send the archive"),
                format!("le dépôt n'a pas pu être lu en {seconds} s ; réessayez, ou envoyez l'archive"),
            ),
            Self::Broken(detail) => (
                "git_broken",
                "/git_url",
                format!("what the server sent can't be read as a repository ({detail}); check it with `git fsck`, or send the archive"),
                format!("ce que le serveur a envoyé n'est pas un dépôt lisible ({detail}) ; vérifiez-le avec `git fsck`, ou envoyez l'archive"),
            ),
            Self::Here(_) => (
                "internal",
                "/git_url",
                "the platform failed while it fetched the repository; try again, and tell the operator if it fails again".to_owned(),
                "la plateforme a échoué en lisant le dépôt ; réessayez, et prévenez l'exploitant si l'échec se répète".to_owned(),
            ),
        };
        Fault::error(code, Text::new(en, fr)).at_key(key)
    }
}

fn mib(bytes: u64, unit: &str) -> String {
    format!("{} {unit}", bytes >> 20)
}
