//! Companies, members and tokens.

use std::time::Duration;

use async_trait::async_trait;
use domain::permission::Role;
use domain::{CompanyId, Digest, Timestamp, TokenId, UserId};
use uuid::Uuid;

use super::rows::{Cells, Db, Failure, bind, only};
use super::{Database, Of, audit, logins};
use crate::accounts::{Accounts, Authenticated, Budget, Company, Drafting, Member, Token, Used};
use crate::audit::Entry;
use crate::page::paged;
use crate::{Cursor, Error, Page};

const COMPANY: &str = "id, name, weight, max_running, max_queued, tasks_per_day, cpu_s_per_day, \
                       storage_bytes, created_at";
const TOKEN: &str = "t.id, t.company_id, t.user_id, t.name, t.secret_sha256, t.prefix, t.scopes, \
                     t.created_at, t.expires_at, t.revoked_at, t.last_used_at";

/// How long before its end a task began, at most, for its CPU time to be found
/// when counts are read anew.
const LONGEST_RUN: Duration = Duration::from_secs(7 * 86_400);

#[async_trait]
impl<D: Database> Accounts for D {
    async fn create_company(&self, company: Company, entry: Option<Entry>) -> Result<(), Error> {
        self.write("create a company", Of::Platform, move |db| {
            insert(db, &company)?;
            audit::record(db, entry.as_ref())
        })
        .await
    }

    async fn create_company_of(
        &self,
        company: Company,
        admin: &str,
        entry: Entry,
        of_admin: Entry,
    ) -> Result<UserId, Error> {
        let admin = admin.to_owned();
        self.write("create a company", Of::Platform, move |db| {
            insert(db, &company)?;
            audit::record(db, Some(&entry))?;
            put_member(
                db,
                company.id,
                &admin,
                Role::CompanyAdmin,
                Drafting::Refused,
                Some(&of_admin),
            )
        })
        .await
    }

    async fn company(&self, id: CompanyId) -> Result<Option<Company>, Error> {
        self.look_up("read a company", move |db| {
            db.one(
                &format!("SELECT {COMPANY} FROM companies WHERE id = ? AND deleted_at IS NULL"),
                bind![id],
                company,
            )
        })
        .await
    }

    async fn company_named(&self, name: &str) -> Result<Option<Company>, Error> {
        let name = name.to_owned();
        self.look_up("read a company", move |db| {
            db.one(
                &format!("SELECT {COMPANY} FROM companies WHERE name = ? AND deleted_at IS NULL"),
                bind![name],
                company,
            )
        })
        .await
    }

    async fn companies(&self, after: Option<Cursor>, limit: u32) -> Result<Page<Company>, Error> {
        self.scan("list companies", move |db| {
            let found = db.all(
                &format!(
                    "SELECT {COMPANY} FROM companies
                     WHERE deleted_at IS NULL AND (?1 IS NULL OR id < ?1)
                     ORDER BY id DESC LIMIT ?2"
                ),
                bind![after.map(|c| c.0), u64::from(limit) + 1],
                company,
            )?;
            Ok(paged(found, limit, |company| company.id.0))
        })
        .await
    }

    async fn set_company_quotas(
        &self,
        id: CompanyId,
        weight: f64,
        max_running: Option<u32>,
        max_queued: Option<u32>,
        budget: Budget,
        entry: Option<Entry>,
    ) -> Result<bool, Error> {
        self.write("set a company's quotas", Of::Company(id), move |db| {
            let changed = db.execute(
                "UPDATE companies SET weight = ?, max_running = ?, max_queued = ?,
                     tasks_per_day = ?, cpu_s_per_day = ?, storage_bytes = ?
                 WHERE id = ? AND deleted_at IS NULL",
                bind![
                    weight,
                    max_running,
                    max_queued,
                    budget.tasks_per_day,
                    budget.cpu_s_per_day,
                    budget.storage_bytes,
                    id,
                ],
            )?;
            audit::record(db, entry.as_ref().filter(|_| changed == 1))?;
            Ok(changed == 1)
        })
        .await
    }

    async fn used(&self, company: CompanyId, since: Timestamp) -> Result<Used, Error> {
        self.scan("count what a company uses", move |db| {
            let sum = |sql: &str, from: Timestamp| {
                let found =
                    db.one(sql, bind![company, first_id(from), since], only::<Option<f64>>)?;
                Ok::<_, Failure>(found.flatten().unwrap_or_default())
            };
            // Ids are in the order of time, so a day's tasks are a stretch of
            // the primary key. What ended today began today or lately.
            let tasks = "SELECT CAST(count(*) AS DOUBLE PRECISION) FROM tasks
                         WHERE company_id = ?1 AND id >= ?2 AND ?3 IS NOT NULL";
            let cpu_ms = "SELECT sum(cpu_ms) FROM tasks
                          WHERE company_id = ?1 AND id >= ?2 AND completed_at >= ?3";
            let bytes = "SELECT CAST(
                 coalesce((SELECT sum(bytes) FROM files WHERE company_id = ?1), 0)
                 + coalesce((SELECT sum(a.bytes) FROM artifacts a
                             JOIN tasks t ON t.company_id = a.company_id AND t.id = a.task_id
                             WHERE a.company_id = ?1 AND t.deleted_at IS NULL), 0)
                 + coalesce((SELECT sum(result_bytes) FROM tasks WHERE company_id = ?1
                             AND result_digest IS NOT NULL AND deleted_at IS NULL), 0) AS DOUBLE PRECISION)
                 WHERE ?2 IS NOT NULL AND ?3 IS NOT NULL";
            Ok(Used {
                tasks: sum(tasks, since)? as u64,
                cpu_ms: sum(cpu_ms, since.before(LONGEST_RUN))?,
                bytes: sum(bytes, since)? as u64,
            })
        })
        .await
    }

    async fn put_member(
        &self,
        company: CompanyId,
        name: &str,
        role: Role,
        drafting: Drafting,
        entry: Option<Entry>,
    ) -> Result<UserId, Error> {
        let name = name.to_owned();
        self.write("add a member", Of::Company(company), move |db| {
            put_member(db, company, &name, role, drafting, entry.as_ref())
        })
        .await
    }

    async fn members(&self, company: CompanyId) -> Result<Vec<Member>, Error> {
        self.scan("list members", move |db| {
            db.all(
                "SELECT m.user_id, u.name, m.role, m.created_at
                 FROM memberships m JOIN users u ON u.id = m.user_id
                 WHERE m.company_id = ? AND m.removed_at IS NULL ORDER BY u.name",
                bind![company],
                |cells| {
                    Ok(Member {
                        user: cells.next()?,
                        name: cells.next()?,
                        role: cells.next()?,
                        created_at: cells.next()?,
                    })
                },
            )
        })
        .await
    }

    async fn remove_member(
        &self,
        company: CompanyId,
        user: UserId,
        entry: Option<Entry>,
    ) -> Result<bool, Error> {
        self.write("remove a member", Of::Company(company), move |db| {
            let removed = db.execute(
                "UPDATE memberships SET removed_at = ?
                 WHERE company_id = ? AND user_id = ? AND removed_at IS NULL",
                bind![db.now, company, user],
            )?;
            db.execute(
                "UPDATE tokens SET revoked_at = ?
                 WHERE company_id = ? AND user_id = ? AND revoked_at IS NULL",
                bind![db.now, company, user],
            )?;
            logins::end_sessions(db, user, Some(company), None)?;
            logins::revoke_invitations_of(db, company, user)?;
            audit::record(db, entry.as_ref().filter(|_| removed == 1))?;
            Ok(removed == 1)
        })
        .await
    }

    async fn create_token(&self, token: Token, entry: Option<Entry>) -> Result<(), Error> {
        self.write("store a token", Of::Company(token.company), move |db| {
            db.execute(
                "INSERT INTO tokens (company_id, id, user_id, name, secret_sha256, prefix, scopes,
                                     created_at, expires_at, revoked_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                bind![
                    token.company,
                    token.id,
                    token.user,
                    token.name,
                    token.secret_sha256,
                    token.prefix,
                    token.scopes,
                    token.created_at,
                    token.expires_at,
                    token.revoked_at,
                ],
            )
            .map_err(|e| e.taken("token", &token.name))?;
            audit::record(db, entry.as_ref())
        })
        .await
    }

    async fn tokens(&self, company: CompanyId, user: UserId) -> Result<Vec<Token>, Error> {
        self.scan("list tokens", move |db| {
            db.all(
                &format!(
                    "SELECT {TOKEN} FROM tokens t
                     WHERE t.company_id = ? AND t.user_id = ? ORDER BY t.id DESC"
                ),
                bind![company, user],
                token,
            )
        })
        .await
    }

    async fn revoke_token(
        &self,
        company: CompanyId,
        id: TokenId,
        entry: Option<Entry>,
    ) -> Result<bool, Error> {
        self.write("revoke a token", Of::Company(company), move |db| {
            let revoked = db.execute(
                "UPDATE tokens SET revoked_at = ?1 WHERE company_id = ?2 AND id = ?3
                 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)",
                bind![db.now, company, id],
            )?;
            audit::record(db, entry.as_ref().filter(|_| revoked == 1))?;
            Ok(revoked == 1)
        })
        .await
    }

    async fn touch_token(&self, company: CompanyId, id: TokenId) -> Result<(), Error> {
        self.write("remember the use of a token", Of::Platform, move |db| {
            db.execute(
                "UPDATE tokens SET last_used_at = ? WHERE company_id = ? AND id = ?",
                bind![db.now, company, id],
            )?;
            Ok(())
        })
        .await
    }

    async fn authenticate(&self, secret_sha256: Digest) -> Result<Option<Authenticated>, Error> {
        self.look_up("authenticate a token", move |db| {
            db.one(
                &format!(
                    "SELECT {TOKEN}, c.name, m.role FROM tokens t
                     JOIN companies c ON c.id = t.company_id AND c.deleted_at IS NULL
                     JOIN memberships m ON m.company_id = t.company_id
                         AND m.user_id = t.user_id AND m.removed_at IS NULL
                     WHERE t.secret_sha256 = ?1 AND t.revoked_at IS NULL
                     AND (t.expires_at IS NULL OR t.expires_at > ?2)"
                ),
                bind![secret_sha256, db.now],
                |cells| {
                    Ok(Authenticated {
                        token: token(cells)?,
                        company_name: cells.next()?,
                        role: cells.next()?,
                    })
                },
            )
        })
        .await
    }
}

fn insert(db: &Db<'_>, company: &Company) -> Result<(), Failure> {
    db.execute(
        &format!("INSERT INTO companies ({COMPANY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        bind![
            company.id,
            company.name,
            company.weight,
            company.max_running,
            company.max_queued,
            company.budget.tasks_per_day,
            company.budget.cpu_s_per_day,
            company.budget.storage_bytes,
            company.created_at,
        ],
    )
    .map_err(|e| e.taken("company", &company.name))?;
    Ok(())
}

fn put_member(
    db: &Db<'_>,
    company: CompanyId,
    name: &str,
    role: Role,
    drafting: Drafting,
    entry: Option<&Entry>,
) -> Result<UserId, Failure> {
    let user = logins::user_of_name(db, name, None)?;
    if drafting == Drafting::Refused && logins::is_elsewhere(db, company, user)? {
        return Err(Error::NameTaken { what: "user", name: name.to_owned() }.into());
    }
    // A role that changed is another person's hands on the same sessions and
    // links.
    logins::end_sessions(db, user, Some(company), None)?;
    logins::revoke_invitations_of(db, company, user)?;
    logins::put_membership(db, company, user, role)?;
    audit::record(db, entry)?;
    Ok(user)
}

/// The least id that something made at `instant` can have.
fn first_id(instant: Timestamp) -> Uuid {
    let ms = u128::try_from(instant.0 / 1000).unwrap_or(0);
    Uuid::from_u128(ms << 80)
}

fn company(cells: &mut Cells<'_>) -> Result<Company, Failure> {
    Ok(Company {
        id: cells.next()?,
        name: cells.next()?,
        weight: cells.next()?,
        max_running: cells.next()?,
        max_queued: cells.next()?,
        budget: Budget {
            tasks_per_day: cells.next()?,
            cpu_s_per_day: cells.next()?,
            storage_bytes: cells.next()?,
        },
        created_at: cells.next()?,
    })
}

fn token(cells: &mut Cells<'_>) -> Result<Token, Failure> {
    Ok(Token {
        id: cells.next()?,
        company: cells.next()?,
        user: cells.next()?,
        name: cells.next()?,
        secret_sha256: cells.next()?,
        prefix: cells.next()?,
        scopes: cells.next()?,
        created_at: cells.next()?,
        expires_at: cells.next()?,
        revoked_at: cells.next()?,
        last_used_at: cells.next()?,
    })
}
