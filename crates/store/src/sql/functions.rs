//! Functions and versions.

use async_trait::async_trait;
use domain::function::FunctionRef;
use domain::{CompanyId, FunctionId, Timestamp, VersionId};

use super::rows::{Cells, Db, Failure, bind, only};
use super::{Database, Of, audit};
use crate::audit::Entry;
use crate::functions::{Filter, Function, Functions, Version};
use crate::page::paged;
use crate::{Cursor, Error, Page};

/// The columns of a version `v` and of its function `f`, as [`version`] reads
/// them.
pub(super) const VERSION: &str = "v.company_id, v.id, v.function_id, f.name, v.number, \
    v.archive, v.manifest, v.environment, v.python, v.python_full, v.lock, \
    v.shared_environment, v.imports, v.warnings, v.deployment_id, \
    (SELECT d.source FROM deployments d \
        WHERE d.company_id = v.company_id AND d.id = v.deployment_id), \
    v.created_by, v.created_at";

/// Versions with their functions.
pub(super) const VERSIONS: &str = "versions v JOIN functions f \
    ON f.company_id = v.company_id AND f.id = v.function_id";

/// Functions with their newest versions.
const NEWEST: &str = "functions f JOIN versions v \
    ON v.company_id = f.company_id AND v.id = f.newest_version_id";

#[async_trait]
impl<D: Database> Functions for D {
    async fn functions(
        &self,
        company: CompanyId,
        filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Function>, Error> {
        self.scan("list functions", move |db| {
            let ids = matching(db, company, &filter, after, limit)?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                found.extend(db.one(
                    &format!(
                        "SELECT f.created_at, {VERSION} FROM {NEWEST}
                         WHERE f.company_id = ? AND f.id = ?"
                    ),
                    bind![company, id],
                    function,
                )?);
            }
            Ok(paged(found, limit, |function| function.id.0))
        })
        .await
    }

    async fn resolve(
        &self,
        company: CompanyId,
        reference: &FunctionRef,
    ) -> Result<Option<Version>, Error> {
        let reference = reference.clone();
        self.look_up("find a function", move |db| match &reference {
            FunctionRef::Id(id) => db.one(
                &format!(
                    "SELECT {VERSION} FROM {NEWEST}
                     WHERE f.company_id = ? AND f.id = ? AND f.deleted_at IS NULL"
                ),
                bind![company, *id],
                version,
            ),
            FunctionRef::Name { name, version: None, .. } => db.one(
                &format!(
                    "SELECT {VERSION} FROM {NEWEST}
                     WHERE f.company_id = ? AND f.name = ? AND f.deleted_at IS NULL"
                ),
                bind![company, name],
                version,
            ),
            FunctionRef::Name { name, version: Some(number), .. } => db.one(
                &format!(
                    "SELECT {VERSION} FROM {VERSIONS}
                     WHERE f.company_id = ? AND f.name = ? AND f.deleted_at IS NULL
                     AND v.number = ?"
                ),
                bind![company, name, number],
                version,
            ),
        })
        .await
    }

    async fn version(&self, company: CompanyId, id: VersionId) -> Result<Option<Version>, Error> {
        self.look_up("read a version", move |db| {
            db.one(
                &format!("SELECT {VERSION} FROM {VERSIONS} WHERE v.company_id = ? AND v.id = ?"),
                bind![company, id],
                version,
            )
        })
        .await
    }

    async fn versions(
        &self,
        company: CompanyId,
        function: FunctionId,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Version>, Error> {
        self.scan("list versions", move |db| {
            let found = db.all(
                &format!(
                    "SELECT {VERSION} FROM {VERSIONS}
                     WHERE v.company_id = ?1 AND v.function_id = ?2 AND f.deleted_at IS NULL
                     AND (?3 IS NULL OR v.id < ?3) ORDER BY v.id DESC LIMIT ?4"
                ),
                bind![company, function, after.map(|c| c.0), u64::from(limit) + 1],
                version,
            )?;
            Ok(paged(found, limit, |version| version.id.0))
        })
        .await
    }

    async fn delete_function(
        &self,
        company: CompanyId,
        id: FunctionId,
        entry: Option<Entry>,
    ) -> Result<bool, Error> {
        self.write("delete a function", Of::Company(company), move |db| {
            let deleted = db.execute(
                "UPDATE functions SET deleted_at = ?
                 WHERE company_id = ? AND id = ? AND deleted_at IS NULL",
                bind![db.now, company, id],
            )?;
            audit::record(db, entry.as_ref().filter(|_| deleted == 1))?;
            Ok(deleted == 1)
        })
        .await
    }

    async fn recent_durations_ms(
        &self,
        company: CompanyId,
        version: VersionId,
        count: u32,
    ) -> Result<Vec<f64>, Error> {
        // In place: the bound is the caller's `count`, and one index holds all.
        self.look_up("read a version's last durations", move |db| {
            db.all(
                "SELECT execution_ms FROM tasks
                 WHERE company_id = ? AND version_id = ? AND state = 'completed' AND cached = FALSE
                 AND execution_ms IS NOT NULL ORDER BY completed_at DESC LIMIT ?",
                bind![company, version, count],
                only,
            )
        })
        .await
    }
}

/// The functions that a filter leaves, newest first, one more than a page
/// holds. The words are compared here, not in SQL: SQLite knows the lower case
/// of ASCII alone, and descriptions are French too.
fn matching(
    db: &Db<'_>,
    company: CompanyId,
    filter: &Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<FunctionId>, Failure> {
    let text = filter.text.as_deref().unwrap_or_default().to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let mut left = Vec::new();
    let mut before = after.map(|cursor| FunctionId(cursor.0));
    // In portions, so that a page of a large company reads no more than it
    // shows when nothing is filtered.
    loop {
        let portion = db.all(
            "SELECT id, search_text, tags, category FROM functions
             WHERE company_id = ?1 AND deleted_at IS NULL AND (?2 IS NULL OR id < ?2) AND id <> ?4
             ORDER BY id DESC LIMIT ?3",
            bind![company, before, u64::from(limit.max(100)) + 1, FunctionId::AD_HOC],
            |cells| {
                let id: FunctionId = cells.next()?;
                let searched: String = cells.next()?;
                let tags: Vec<String> = cells.json()?;
                let category: Option<String> = cells.next()?;
                let fits = words.iter().all(|word| searched.contains(word))
                    && filter.tag.as_ref().is_none_or(|tag| tags.contains(tag))
                    && (filter.category.is_none() || filter.category == category);
                Ok((id, fits))
            },
        )?;
        let Some((last, _)) = portion.last() else { return Ok(left) };
        before = Some(*last);
        left.extend(portion.into_iter().filter(|(_, fits)| *fits).map(|(id, _)| id));
        if left.len() >= wanted {
            left.truncate(wanted);
            return Ok(left);
        }
    }
}

fn function(cells: &mut Cells<'_>) -> Result<Function, Failure> {
    let created_at: Timestamp = cells.next()?;
    let newest = version(cells)?;
    Ok(Function {
        company: newest.company,
        id: newest.function,
        name: newest.name.clone(),
        created_at,
        newest,
    })
}

/// Reads [`VERSION`].
pub(super) fn version(cells: &mut Cells<'_>) -> Result<Version, Failure> {
    Ok(Version {
        company: cells.next()?,
        id: cells.next()?,
        function: cells.next()?,
        name: cells.next()?,
        version: cells.next()?,
        archive: cells.next()?,
        manifest: cells.json()?,
        environment: cells.next()?,
        python: cells.next()?,
        python_full: cells.next()?,
        lock: cells.next()?,
        shared_environment: cells.next()?,
        imports: cells.json()?,
        warnings: cells.json()?,
        deployment: cells.next()?,
        source: cells.json_or_null()?,
        created_by: cells.next()?,
        created_at: cells.next()?,
    })
}
