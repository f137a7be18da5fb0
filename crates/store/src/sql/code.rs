//! Ad-hoc code: versions of a function that nobody sees.

use domain::{CompanyId, Digest, FunctionId, VersionId};

use super::deployments::insert_version;
use super::rows::{Db, Failure, bind, only};
use crate::deployments::Status;
use crate::functions::Version;

/// No name that a function of a user's can have.
const NAME: &str = "ad hoc";

pub(super) fn find(
    db: &Db<'_>,
    company: CompanyId,
    archive: Digest,
) -> Result<Option<VersionId>, Failure> {
    db.one(
        "SELECT id FROM versions WHERE company_id = ? AND function_id = ? AND archive = ?",
        bind![company, FunctionId::AD_HOC, archive],
        only,
    )
}

pub(super) fn keep(db: &Db<'_>, version: &Version) -> Result<VersionId, Failure> {
    let company = version.company;
    if let Some(same) = find(db, company, version.archive)? {
        return Ok(same);
    }
    db.execute(
        "INSERT INTO functions (company_id, id, name, search_text, tags, created_at)
         VALUES (?, ?, ?, '', '[]', ?) ON CONFLICT DO NOTHING",
        bind![company, FunctionId::AD_HOC, NAME, version.created_at],
    )?;
    // Version and deployment refer to each other.
    db.execute(
        "INSERT INTO deployments (company_id, id, user_id, status, upload, name, stages, faults,
             created_at, completed_at)
         VALUES (?, ?, ?, ?, ?, ?, '[]', '[]', ?, ?)",
        bind![
            company,
            version.deployment,
            version.created_by,
            Status::Deployed,
            version.archive,
            version.name,
            version.created_at,
            db.now,
        ],
    )?;
    insert_version(db, version)?;
    db.execute(
        "UPDATE deployments SET version_id = ? WHERE company_id = ? AND id = ?",
        bind![version.id, company, version.deployment],
    )?;
    Ok(version.id)
}
