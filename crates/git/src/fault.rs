//! What the person who asked for a repository reads.

use domain::{Fault, Text};

use crate::error::{Bound, Error, Special};

impl Error {
    /// What was expected, what came and what to do: one fault, or one for each
    /// entry that is refused.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        if let Self::Entries(entries) = self {
            return entries.iter().map(|(path, what)| of_entry(path, *what)).collect();
        }
        let (key, text) = match self {
            Self::Reference(_) | Self::NoReference(_) | Self::Ambiguous(_) => {
                ("/ref", self.of_ref())
            }
            Self::Path(path) => (
                "/path",
                Text::new(
                    format!(
                        "expected the path of a folder inside the repository, such as functions/bolt, found {path:?}"
                    ),
                    format!(
                        "attendu : le chemin d'un dossier du dépôt, par exemple fonctions/boulon ; reçu : {path:?}"
                    ),
                ),
            ),
            Self::NoFolder(path) => (
                "/path",
                Text::new(
                    format!(
                        "the repository has no folder {path:?} at that commit; its name is written as in the repository, upper and lower case included"
                    ),
                    format!(
                        "le dépôt n'a pas de dossier {path:?} à ce commit ; son nom s'écrit comme dans le dépôt, majuscules comprises"
                    ),
                ),
            ),
            Self::Unauthorized(host) => (
                "/git_token",
                Text::new(
                    format!(
                        "{host} doesn't let this caller read the repository; send a `git_token` that may read it"
                    ),
                    format!(
                        "{host} ne laisse pas lire ce dépôt ; envoyez un `git_token` qui en a le droit"
                    ),
                ),
            ),
            Self::TooLarge { bound, limit } => ("/git_url", too_large(*bound, *limit)),
            _ => ("/git_url", self.of_server()),
        };
        let code = match self.code() {
            // What every other field of a body is refused with.
            "invalid_body" => "body_value",
            code => code,
        };
        vec![Fault::error(code, text).at_key(key)]
    }

    /// The word for this kind of failure, as the API and its pages use it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "git_url_refused",
            Self::Reference(_) | Self::Path(_) => "invalid_body",
            Self::Address { .. } => "git_address_refused",
            Self::Unreachable(_) => "git_unreachable",
            Self::Unauthorized(_) | Self::NoRepository(_) => "git_not_found",
            Self::NotGit(_) | Self::Said(_) | Self::Sha256 => "git_not_understood",
            Self::NoReference(_) | Self::Ambiguous(_) => "git_ref_not_found",
            Self::NoFolder(_) => "git_folder_not_found",
            Self::Entries(_) => "git_entry_refused",
            Self::TooLarge { .. } => "git_too_large",
            Self::TooSlow => "git_too_slow",
            Self::Broken(_) => "git_broken",
            Self::Here(_) => "internal",
        }
    }

    fn of_ref(&self) -> Text {
        match self {
            Self::NoReference(name) => Text::new(
                format!(
                    "the repository has no branch, tag or commit {name:?}; a commit is named by all of its 40 digits"
                ),
                format!(
                    "le dépôt n'a ni branche, ni étiquette, ni commit {name:?} ; un commit se donne par ses 40 chiffres"
                ),
            ),
            Self::Ambiguous(name) => Text::new(
                format!(
                    "{name:?} is a branch and a tag; say refs/heads/{name} or refs/tags/{name}"
                ),
                format!(
                    "{name:?} est une branche et une étiquette ; écrivez refs/heads/{name} ou refs/tags/{name}"
                ),
            ),
            other => {
                let name = if let Self::Reference(name) = other { name.as_str() } else { "" };
                Text::new(
                    format!(
                        "expected a branch, a tag or the 40 digits of a commit, found {name:?}"
                    ),
                    format!(
                        "attendu : une branche, une étiquette ou les 40 chiffres d'un commit ; reçu : {name:?}"
                    ),
                )
            }
        }
    }

    fn of_server(&self) -> Text {
        match self {
            Self::Url(url) => Text::new(
                format!(
                    "expected the https address of a repository, such as https://host/team/functions.git, without user or password; found {url:?}"
                ),
                format!(
                    "attendu : l'adresse https d'un dépôt, par exemple https://hote/equipe/fonctions.git, sans utilisateur ni mot de passe ; reçu : {url:?}"
                ),
            ),
            // Not the address itself: names inside are nobody's business.
            Self::Address { host, .. } => Text::new(
                format!(
                    "{host} is not at an address of the public internet; the operator can allow its network with MECAPY_ALLOWED_NETWORKS"
                ),
                format!(
                    "{host} n'est pas à une adresse de l'internet public ; l'exploitant peut autoriser son réseau avec MECAPY_ALLOWED_NETWORKS"
                ),
            ),
            Self::Unreachable(detail) => Text::new(
                format!(
                    "the server can't be reached ({detail}); check the address, try again, or send the archive"
                ),
                format!(
                    "le serveur est injoignable ({detail}) ; vérifiez l'adresse, réessayez, ou envoyez l'archive"
                ),
            ),
            Self::NoRepository(host) => Text::new(
                format!(
                    "{host} has no such repository, or none that may be read without a `git_token`"
                ),
                format!("{host} n'a pas ce dépôt, ou aucun qui se lise sans `git_token`"),
            ),
            Self::NotGit(detail) => Text::new(
                format!(
                    "expected a Git server of version 2.18 or later ({detail}); is it the address that `git clone` takes?"
                ),
                format!(
                    "attendu : un serveur Git, version 2.18 ou plus ({detail}) ; est-ce l'adresse que prend `git clone` ?"
                ),
            ),
            Self::Said(words) => Text::new(
                format!(
                    "the Git server refused: {words:?}; ask whoever runs it, or send the archive"
                ),
                format!(
                    "le serveur Git a refusé : {words:?} ; adressez-vous à qui l'exploite, ou envoyez l'archive"
                ),
            ),
            Self::Sha256 => Text::new(
                "the repository names its objects by SHA-256, which is not read here; send the archive",
                "le dépôt nomme ses objets par SHA-256, ce qui n'est pas lu ici ; envoyez l'archive",
            ),
            Self::TooSlow => Text::new(
                "the repository was not fetched within a minute; try again, or send the archive",
                "le dépôt n'a pas pu être lu en une minute ; réessayez, ou envoyez l'archive",
            ),
            Self::Broken(detail) => Text::new(
                format!(
                    "what the server sent can't be read as a repository ({detail}); check it with `git fsck`, or send the archive"
                ),
                format!(
                    "ce que le serveur a envoyé n'est pas un dépôt lisible ({detail}) ; vérifiez-le avec `git fsck`, ou envoyez l'archive"
                ),
            ),
            _ => Text::new(
                "the platform failed while it fetched the repository; try again, and tell the operator if it fails again",
                "la plateforme a échoué en lisant le dépôt ; réessayez, et prévenez l'exploitant si l'échec se répète",
            ),
        }
    }
}

fn of_entry(path: &str, what: Special) -> Fault {
    let (en, fr) = match what {
        Special::Link => (
            "a symbolic link; put the file itself there",
            "un lien symbolique ; mettez-y le fichier lui-même",
        ),
        Special::Submodule => (
            "a submodule, and those are not fetched; copy its files, or deploy from its own repository",
            "un sous-module, et ceux-ci ne sont pas suivis ; copiez ses fichiers, ou déployez depuis son propre dépôt",
        ),
        Special::Lfs => (
            "a pointer of Git LFS, and the file behind it is not fetched; commit the file itself, or send the archive",
            "un pointeur Git LFS, et le fichier qu'il désigne n'est pas suivi ; validez le fichier lui-même, ou envoyez l'archive",
        ),
        Special::Name => (
            "a name that is refused (`..`, `.git`, a `/`, no UTF-8, or longer than 255 bytes); rename it",
            "un nom refusé (`..`, `.git`, un `/`, hors UTF-8, ou de plus de 255 octets) ; renommez-le",
        ),
        Special::Twice => (
            "a second entry of the same name; check the repository with `git fsck`",
            "une seconde entrée du même nom ; vérifiez le dépôt avec `git fsck`",
        ),
    };
    let shown: String = path.chars().take(200).flat_map(char::escape_debug).collect();
    let text = Text::new(
        format!("expected a plain file, found {en}"),
        format!("attendu : un fichier ordinaire ; trouvé : {fr}"),
    );
    Fault::error("git_entry_refused", text).in_file(shown)
}

fn too_large(bound: Bound, limit: u64) -> Text {
    let mib = limit >> 20;
    let (en, fr) = match bound {
        Bound::Sent => (
            format!(
                "the server sent more than {mib} MiB; the whole repository is sent, not the folder alone"
            ),
            format!(
                "le serveur a envoyé plus de {mib} Mio ; tout le dépôt est envoyé, pas le dossier seul"
            ),
        ),
        Bound::Unpacked => (
            format!(
                "the repository is larger than {mib} MiB at that commit; all of it is sent, not the folder alone"
            ),
            format!(
                "le dépôt dépasse {mib} Mio à ce commit ; il est envoyé en entier, pas le dossier seul"
            ),
        ),
        Bound::Object => (
            format!("a file that is written as changes to another is larger than {mib} MiB"),
            format!("un fichier écrit comme modification d'un autre dépasse {mib} Mio"),
        ),
        Bound::Objects => (
            format!("the repository has more than {limit} files and folders at that commit"),
            format!("le dépôt a plus de {limit} fichiers et dossiers à ce commit"),
        ),
        Bound::Chain => (
            format!("an object is made by more than {limit} changes, each to the one before"),
            format!("un objet est fait de plus de {limit} modifications successives"),
        ),
        Bound::Files => (
            format!("the files of the folder are larger than {mib} MiB"),
            format!("les fichiers du dossier dépassent {mib} Mio"),
        ),
        Bound::Entries => (
            format!(
                "there are more than {limit} files and folders below the folder; name a smaller one with `path`"
            ),
            format!(
                "il y a plus de {limit} fichiers et dossiers sous le dossier ; indiquez-en un plus petit avec `path`"
            ),
        ),
        Bound::Depth => (
            format!("folders are nested more than {limit} deep"),
            format!("des dossiers sont imbriqués sur plus de {limit} niveaux"),
        ),
    };
    Text::new(
        format!("{en}; keep what the function doesn't need elsewhere, or send the archive"),
        format!("{fr} ; gardez ailleurs ce dont la fonction n'a pas besoin, ou envoyez l'archive"),
    )
}
