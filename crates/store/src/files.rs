//! Uploaded input files.

use async_trait::async_trait;
use domain::{ArtifactId, CompanyId, Digest, FileId, TaskId, Timestamp, UserId};

use crate::Error;
use crate::tasks::Artifact;

/// An uploaded file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// The owning company.
    pub company: CompanyId,
    /// Its id.
    pub id: FileId,
    /// Who uploaded it.
    pub user: UserId,
    /// The name it was uploaded under; the name that a run sees.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, under which it lies in blobs.
    pub digest: Digest,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

/// Files of a company.
#[async_trait]
pub trait Files: Send + Sync {
    /// Stores the row of a file whose content lies in blobs already.
    async fn create_file(&self, file: File) -> Result<(), Error>;
    /// One uploaded file.
    async fn file(&self, company: CompanyId, id: FileId) -> Result<Option<File>, Error>;
    /// One artifact and the task it is of.
    async fn artifact(
        &self,
        company: CompanyId,
        id: ArtifactId,
    ) -> Result<Option<(TaskId, Artifact)>, Error>;
}
