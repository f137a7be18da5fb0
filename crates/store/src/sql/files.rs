//! Uploaded files and artifacts.

use async_trait::async_trait;
use domain::{ArtifactId, CompanyId, FileId, TaskId};

use super::rows::{Cells, Db, Failure, bind};
use super::{Database, Of};
use crate::Error;
use crate::files::{File, Files};
use crate::tasks::Artifact;

#[async_trait]
impl<D: Database> Files for D {
    async fn create_file(&self, file: File) -> Result<(), Error> {
        self.write("store a file's row", Of::Company(file.company), move |db| {
            db.execute(
                "INSERT INTO files (company_id, id, user_id, name, media_type, bytes, digest,
                                    created_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                bind![
                    file.company,
                    file.id,
                    file.user,
                    file.name,
                    file.media_type,
                    file.bytes,
                    file.digest,
                    file.created_at,
                ],
            )
            .map_err(|e| e.taken("file", file.id))?;
            Ok(())
        })
        .await
    }

    async fn file(&self, company: CompanyId, id: FileId) -> Result<Option<File>, Error> {
        self.look_up("read a file's row", move |db| {
            db.one(
                "SELECT company_id, id, user_id, name, media_type, bytes, digest, created_at
                 FROM files WHERE company_id = ? AND id = ?",
                bind![company, id],
                |cells| {
                    Ok(File {
                        company: cells.next()?,
                        id: cells.next()?,
                        user: cells.next()?,
                        name: cells.next()?,
                        media_type: cells.next()?,
                        bytes: cells.next()?,
                        digest: cells.next()?,
                        created_at: cells.next()?,
                    })
                },
            )
        })
        .await
    }

    async fn artifact(
        &self,
        company: CompanyId,
        id: ArtifactId,
    ) -> Result<Option<(TaskId, Artifact)>, Error> {
        self.look_up("read an artifact's row", move |db| {
            db.one(
                "SELECT a.task_id, a.id, a.name, a.media_type, a.bytes, a.digest
                 FROM artifacts a JOIN tasks t ON t.company_id = a.company_id AND t.id = a.task_id
                 WHERE a.company_id = ? AND a.id = ? AND t.deleted_at IS NULL",
                bind![company, id],
                |cells| Ok((cells.next()?, artifact(cells)?)),
            )
        })
        .await
    }
}

/// The artifacts of a task, in the order they were stored in.
pub(super) fn artifacts(
    db: &Db<'_>,
    company: CompanyId,
    task: TaskId,
) -> Result<Vec<Artifact>, Failure> {
    db.all(
        "SELECT a.id, a.name, a.media_type, a.bytes, a.digest
         FROM artifacts a JOIN tasks t ON t.company_id = a.company_id AND t.id = a.task_id
         WHERE a.company_id = ? AND a.task_id = ? AND t.deleted_at IS NULL ORDER BY a.id",
        bind![company, task],
        artifact,
    )
}

/// Stores the artifacts of an attempt that ended its task.
pub(super) fn store_artifacts(
    db: &Db<'_>,
    company: CompanyId,
    task: TaskId,
    artifacts: &[Artifact],
) -> Result<(), Failure> {
    for artifact in artifacts {
        db.execute(
            "INSERT INTO artifacts (company_id, id, task_id, name, media_type, bytes, digest)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            bind![
                company,
                artifact.id,
                task,
                artifact.name,
                artifact.media_type,
                artifact.bytes,
                artifact.digest,
            ],
        )?;
    }
    Ok(())
}

fn artifact(cells: &mut Cells<'_>) -> Result<Artifact, Failure> {
    Ok(Artifact {
        id: cells.next()?,
        name: cells.next()?,
        media_type: cells.next()?,
        bytes: cells.next()?,
        digest: cells.next()?,
    })
}
