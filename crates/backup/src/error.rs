//! What can go wrong with a backup, in the words of who has to mend it.

use std::io;
use std::path::PathBuf;

use domain::Text;

/// Why a backup could not be written, verified or restored.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text().en)]
pub enum Error {
    /// A file or folder of this machine could not be used.
    Place {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The archive could not be written where it is to go.
    Output(io::Error),
    /// The archive could not be read, or ends before its end.
    Input(io::Error),
    /// There is no database to back up.
    NoDatabase(PathBuf),
    /// The database.
    Store(#[from] store::Error),
    /// The objects.
    Blobs(#[from] blobs::Error),
    /// The bytes are no backup.
    NotABackup,
    /// The archive is of a later program.
    Newer {
        /// Its format.
        format: u32,
        /// The program that wrote it.
        program: String,
    },
    /// A member that no backup has.
    Foreign {
        /// Its name.
        member: String,
        /// What is wrong with it.
        found: &'static str,
    },
    /// A member that is not what the archive says of it.
    Damaged {
        /// Its name.
        member: String,
    },
    /// It needs more room than there is.
    NoRoom {
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// It is encrypted, and no passphrase was given.
    Sealed,
    /// A passphrase was given, and it is not encrypted.
    NotSealed,
    /// The passphrase is not the one it was encrypted with.
    WrongPassphrase,
    /// The passphrase can't protect anything.
    WeakPassphrase,
    /// It was encrypted in another way than with a passphrase, or so that
    /// opening it would take too long.
    UnknownSeal,
}

impl Error {
    /// The sentence in both languages.
    #[must_use]
    pub fn text(&self) -> Text {
        match self {
            Self::Place { path, reason } => {
                let path = path.display();
                Text::new(
                    format!(
                        "{path} can't be used: {reason}. Check that it exists and belongs to this user"
                    ),
                    format!(
                        "{path} n’est pas utilisable : {reason}. Vérifiez qu’il existe et appartient à cet utilisateur"
                    ),
                )
            }
            Self::Output(reason) => Text::new(
                format!(
                    "the backup can't be written: {reason}. Check the free space and the rights there, or name another file"
                ),
                format!(
                    "la sauvegarde ne peut pas être écrite : {reason}. Vérifiez la place libre et les droits à cet endroit, ou donnez un autre fichier"
                ),
            ),
            Self::Input(reason) => Text::new(
                format!(
                    "the backup can't be read to its end: {reason}. It is cut off or damaged: take another one"
                ),
                format!(
                    "la sauvegarde ne peut pas être lue jusqu’à la fin : {reason}. Elle est tronquée ou endommagée : prenez-en une autre"
                ),
            ),
            Self::NoDatabase(path) => {
                let path = path.display();
                Text::new(
                    format!(
                        "there is no database at {path}. Name the server's data folder with --data, or its database with DATABASE_URL"
                    ),
                    format!(
                        "il n’y a pas de base de données à {path}. Indiquez le dossier de données du serveur avec --data, ou sa base avec DATABASE_URL"
                    ),
                )
            }
            Self::Store(error) => error.text(),
            Self::Blobs(error) => Text::same(error.to_string()),
            Self::NotABackup => Text::new(
                "this is no backup of MecaPy. Name a file that `mecapy backup` wrote",
                "ce n’est pas une sauvegarde de MecaPy. Donnez un fichier écrit par `mecapy backup`",
            ),
            Self::Newer { format, program } => Text::new(
                format!(
                    "expected a backup of format {} at most, found {format}, written by mecapy {program}. Restore it with that version or a later one",
                    crate::manifest::FORMAT
                ),
                format!(
                    "une sauvegarde de format {} au plus était attendue, trouvé : {format}, écrite par mecapy {program}. Restaurez-la avec cette version ou une plus récente",
                    crate::manifest::FORMAT
                ),
            ),
            Self::Foreign { member, found } => Text::new(
                format!(
                    "the backup can't be trusted: its member {member:?} is {found}. Take another one"
                ),
                format!(
                    "la sauvegarde n’est pas digne de confiance : son membre {member:?} est refusé ({found}). Prenez-en une autre"
                ),
            ),
            Self::Damaged { member } => Text::new(
                format!(
                    "the backup is damaged: its member {member:?} is not what its manifest says. Take another one"
                ),
                format!(
                    "la sauvegarde est endommagée : son membre {member:?} n’est pas ce que dit son manifeste. Prenez-en une autre"
                ),
            ),
            Self::NoRoom { needed, free } => Text::new(
                format!(
                    "{needed} bytes are needed, {free} are free. Free some space, or restore to another disk with --data"
                ),
                format!(
                    "il faut {needed} octets, {free} sont libres. Libérez de la place, ou restaurez sur un autre disque avec --data"
                ),
            ),
            Self::Sealed => Text::new(
                "the backup is encrypted. Name the file with its passphrase: --passphrase-file FILE",
                "la sauvegarde est chiffrée. Donnez le fichier de sa phrase secrète : --passphrase-file FICHIER",
            ),
            Self::NotSealed => Text::new(
                "the backup is not encrypted, though a passphrase was given. If that is right, leave --passphrase-file out",
                "la sauvegarde n’est pas chiffrée, alors qu’une phrase secrète est donnée. Si c’est normal, retirez --passphrase-file",
            ),
            Self::WrongPassphrase => Text::new(
                "the passphrase is not the one that the backup was encrypted with, or its first lines are damaged. Name the right file with --passphrase-file",
                "la phrase secrète n’est pas celle avec laquelle la sauvegarde a été chiffrée, ou ses premières lignes sont endommagées. Donnez le bon fichier avec --passphrase-file",
            ),
            Self::WeakPassphrase => Text::new(
                "expected a passphrase of 12 characters or more on the first line of the file. Make one with `openssl rand -base64 32 > FILE`",
                "une phrase secrète d’au moins 12 caractères était attendue sur la première ligne du fichier. Créez-en une avec `openssl rand -base64 32 > FICHIER`",
            ),
            Self::UnknownSeal => Text::new(
                "the backup is encrypted for a key, or with a work factor beyond 20. Decrypt it with `age --decrypt` first",
                "la sauvegarde est chiffrée pour une clé, ou avec un facteur de travail supérieur à 20. Déchiffrez-la d’abord avec `age --decrypt`",
            ),
        }
    }
}
