//! Files: uploads, downloads, and what a run finds in its inputs folder.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use blobs::{Area, Key};
use bytes::Bytes;
use domain::permission::Principal;
use domain::{ArtifactId, CompanyId, Digest, FileId};
use package::FileRef;
use store::files::File;
use tokio::io::{AsyncRead, ReadBuf};

use crate::catalog::Deployed;
use crate::usage::{Room, Taken};
use crate::{Engine, Error};

/// Where a run finds its input files.
pub const INPUTS_FOLDER: &str = "/inputs";

/// A file that a run finds in its inputs folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path below [`INPUTS_FOLDER`].
    pub name: String,
    /// The company whose it is.
    pub company: CompanyId,
    /// Whether it was uploaded or produced by a task.
    pub(crate) area: Area,
    /// SHA-256 of its content.
    pub digest: Digest,
}

/// The content of a file or result, to be sent on.
pub enum Content {
    /// All of it.
    Bytes(Bytes),
    /// A stream of so many bytes.
    Stream {
        /// Its length.
        bytes: u64,
        /// Where to read it.
        reader: Box<dyn AsyncRead + Send + Unpin>,
    },
}

/// A file about to be sent.
pub struct Download {
    /// The name it was uploaded or produced under.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// Its content.
    pub content: Content,
}

impl Content {
    /// Content that is at hand.
    #[must_use]
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { bytes, .. } => *bytes,
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) async fn open(blobs: &blobs::Handle, key: Key) -> Result<Self, Error> {
        let reader = blobs.open(key).await?;
        Ok(Self::Stream { bytes: reader.bytes(), reader: Box::new(reader) })
    }
}

/// An upload whose bytes take room as they come.
struct Metered {
    content: Box<dyn AsyncRead + Send + Unpin>,
    taken: Option<Taken>,
    /// How full it was where they took too much.
    full: Option<Room>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.content).poll_read(context, buffer))?;
        let came = (buffer.filled().len() - before) as u64;
        let Some(Err(room)) = self.taken.as_mut().map(|taken| taken.more(came)) else {
            return Poll::Ready(Ok(()));
        };
        self.full = Some(room);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the company's storage")))
    }
}

impl Engine {
    /// Keeps an uploaded file.
    pub async fn upload_file(
        &self,
        who: &Principal,
        name: &str,
        media_type: Option<&str>,
        content: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<File, Error> {
        let limit_bytes = self.limits.file_bytes;
        let taken = self.take_storage(who.company).await?;
        let mut content = Metered { content, taken, full: None };
        let stored =
            self.blobs.put_content(who.company, Area::File, &mut content, limit_bytes).await;
        let Metered { taken, full, .. } = content;
        let stored = stored.map_err(|error| match (error, full) {
            (_, Some(room)) => room.full(),
            (blobs::Error::TooLarge { .. }, None) => Error::TooLarge { what: "file", limit_bytes },
            (error, None) => error.into(),
        })?;
        let name = safe_name(name);
        let file = File {
            company: who.company,
            id: FileId::new(),
            user: who.user,
            media_type: media_type
                .map_or_else(|| self::media_type(&name).to_owned(), str::to_owned),
            name,
            bytes: stored.bytes,
            digest: stored.digest,
            created_at: self.clock.now(),
        };
        self.store.create_file(file.clone()).await?;
        if let Some(taken) = taken {
            self.keep_storage(who.company, taken);
        }
        Ok(file)
    }

    /// An uploaded or produced file by its reference.
    pub async fn download(&self, who: &Principal, reference: &str) -> Result<Download, Error> {
        let found = self.find_file(who.company, reference).await?.ok_or(Error::NotFound("file"))?;
        let key = Key::content(who.company, found.area, found.digest);
        let content = Content::open(&self.blobs, key).await?;
        Ok(Download {
            name: found.name,
            media_type: found.media_type,
            digest: found.digest,
            content,
        })
    }

    pub(crate) async fn find_file(
        &self,
        company: CompanyId,
        reference: &str,
    ) -> Result<Option<Found>, Error> {
        let Ok(id) = reference.parse::<FileId>() else { return Ok(None) };
        if let Some(file) = self.store.file(company, id).await? {
            return Ok(Some(Found {
                area: Area::File,
                digest: file.digest,
                name: file.name,
                media_type: file.media_type,
            }));
        }
        let artifact = self.store.artifact(company, ArtifactId(id.0)).await?;
        Ok(artifact.map(|(_, artifact)| Found {
            area: Area::Artifact,
            digest: artifact.digest,
            name: artifact.name,
            media_type: artifact.media_type,
        }))
    }

    /// The inputs as the run gets them: references to files become paths.
    /// Inputs without files stay the same bytes.
    pub(crate) async fn input_files(
        &self,
        company: CompanyId,
        deployed: &Arc<Deployed>,
        inputs: Bytes,
    ) -> Result<(Bytes, Vec<InputFile>), Error> {
        if !deployed.takes_files {
            return Ok((inputs, Vec::new()));
        }
        let references = deployed.schemas.check_inputs(&inputs).map_err(Error::Invalid)?.files;
        let mut files = Vec::with_capacity(references.len());
        let mut paths = Vec::with_capacity(references.len());
        for (number, FileRef { pointer, reference }) in references.into_iter().enumerate() {
            let found =
                self.find_file(company, &reference).await?.ok_or(Error::NotFound("input file"))?;
            // Two uploads of one name must not meet in one folder.
            let name = format!("{number}/{}", safe_name(&found.name));
            paths.push(replacement(&pointer, &format!("{INPUTS_FOLDER}/{name}")));
            files.push(InputFile { name, company, area: found.area, digest: found.digest });
        }
        let inputs = package::replace(&inputs, &paths).map_or(inputs, Bytes::from);
        Ok((inputs, files))
    }

    /// Writes a copy of an input file to `place`, with the folders above it.
    pub async fn stage_input(
        &self,
        file: &InputFile,
        place: &std::path::Path,
    ) -> Result<(), Error> {
        let failed = |error: std::io::Error| {
            Error::Internal(format!("an input file can't be copied: {error}"))
        };
        if let Some(folder) = place.parent() {
            tokio::fs::create_dir_all(folder).await.map_err(failed)?;
        }
        let key = Key::content(file.company, file.area, file.digest);
        let mut content = self.blobs.open(key).await?;
        let mut copy = tokio::fs::File::create_new(place).await.map_err(failed)?;
        tokio::io::copy(&mut content, &mut copy).await.map_err(failed)?;
        tokio::io::AsyncWriteExt::flush(&mut copy).await.map_err(failed)
    }
}

/// Puts a string in place of what stands at `pointer`.
pub(crate) fn replacement(pointer: &str, text: &str) -> package::Replacement {
    let json = serde_json::Value::from(text).to_string();
    package::Replacement { pointer: pointer.to_owned(), json }
}

/// A file that was found by its reference.
pub(crate) struct Found {
    pub(crate) area: Area,
    pub(crate) digest: Digest,
    pub(crate) name: String,
    pub(crate) media_type: String,
}

/// The last part of a name, without anything that a path or a header could
/// trip over.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String =
        last.chars().filter(|c| !is_unseen(*c) && !"<>:\"|?*".contains(*c)).take(120).collect();
    match clean.trim_matches(['.', ' ']) {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

/// Controls, those of writing direction among them: with them a name reads
/// otherwise than it is.
fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// The media type of a file by its name's ending.
pub(crate) fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        Some("txt" | "log" | "dat") => "text/plain",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("svg") => "image/svg+xml",
        Some("pdf") => "application/pdf",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("parquet") => "application/vnd.apache.parquet",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_nothing_that_a_path_could_trip_over() {
        assert_eq!(safe_name("../../etc/passwd"), "passwd");
        assert_eq!(safe_name("C:\\data\\a.csv"), "a.csv");
        assert_eq!(safe_name("a\r\nb\".csv"), "ab.csv");
        assert_eq!(safe_name("gnp\u{202E}.exe"), "gnp.exe");
        assert_eq!(safe_name(".."), "file");
        assert_eq!(safe_name("Mesure n° 1.csv"), "Mesure n° 1.csv");
    }
}
