//! Passwords and sessions.

use std::time::Duration;

use async_trait::async_trait;
use domain::permission::Role;
use domain::{CompanyId, Digest, SessionId, UserId};

use super::rows::{Cells, Db, Failure, bind, only};
use super::{Database, Of, audit};
use crate::Error;
use crate::audit::Entry;
use crate::logins::{Logins, Membership, Open, Session, User};

/// Sessions past their end that one login sweeps: more than it adds.
const SWEPT: u32 = 8;

#[async_trait]
impl<D: Database> Logins for D {
    async fn user_named(&self, name: &str) -> Result<Option<User>, Error> {
        let name = name.to_owned();
        self.look_up("read a user", move |db| {
            db.one("SELECT id, name, email, password FROM users WHERE name = ?", bind![name], user)
        })
        .await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        self.look_up("read a user", move |db| {
            db.one("SELECT id, name, email, password FROM users WHERE id = ?", bind![id], user)
        })
        .await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>, Error> {
        self.look_up("list a user's companies", move |db| {
            db.all(
                "SELECT m.company_id, c.name, m.role FROM memberships m
                 JOIN companies c ON c.id = m.company_id AND c.deleted_at IS NULL
                 WHERE m.user_id = ? AND m.removed_at IS NULL ORDER BY c.name",
                bind![user],
                |cells| {
                    Ok(Membership {
                        company: cells.next()?,
                        company_name: cells.next()?,
                        role: cells.next()?,
                    })
                },
            )
        })
        .await
    }

    async fn last_company(&self, user: UserId) -> Result<Option<CompanyId>, Error> {
        self.look_up("read a user's last session", move |db| {
            db.one(
                "SELECT s.company_id FROM sessions s
                 JOIN memberships m ON m.company_id = s.company_id AND m.user_id = s.user_id
                     AND m.removed_at IS NULL
                 JOIN companies c ON c.id = s.company_id AND c.deleted_at IS NULL
                 WHERE s.user_id = ? ORDER BY s.id DESC LIMIT 1",
                bind![user],
                only,
            )
        })
        .await
    }

    async fn set_password(
        &self,
        user: UserId,
        was: Option<String>,
        hash: String,
        kept: Option<SessionId>,
        entry: Entry,
    ) -> Result<bool, Error> {
        self.write("set a password", Of::Platform, move |db| {
            let set = db.execute(
                "UPDATE users SET password = ? WHERE id = ? AND password IS NOT DISTINCT FROM ?",
                bind![hash, user, was],
            )?;
            if set == 1 {
                end_sessions(db, user, None, kept)?;
                // Each company that relies on the account is told.
                for company in companies_of(db, user)? {
                    audit::record(db, Some(&entry.clone().in_company(company)))?;
                }
            }
            Ok(set == 1)
        })
        .await
    }

    async fn create_session(
        &self,
        session: Session,
        replaced: Option<Digest>,
        entry: Entry,
    ) -> Result<(), Error> {
        self.write("store a session", Of::Platform, move |db| {
            db.execute(
                "UPDATE sessions SET ended_at = ? WHERE secret_sha256 = ? AND ended_at IS NULL",
                bind![db.now, replaced],
            )?;
            db.execute(
                "DELETE FROM sessions WHERE id IN (
                     SELECT id FROM sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?)",
                bind![db.now, SWEPT],
            )?;
            db.execute(
                "INSERT INTO sessions (id, secret_sha256, user_id, company_id, address,
                                       created_at, seen_at, expires_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                bind![
                    session.id,
                    session.secret_sha256,
                    session.user,
                    session.company,
                    session.address.map(|address| address.to_string()),
                    session.created_at,
                    session.seen_at,
                    session.expires_at,
                ],
            )?;
            audit::record(db, Some(&entry))
        })
        .await
    }

    async fn session(&self, secret_sha256: Digest, idle: Duration) -> Result<Option<Open>, Error> {
        self.look_up("authenticate a session", move |db| {
            db.one(
                "SELECT s.id, s.user_id, s.company_id, c.name, m.role, s.seen_at, s.expires_at
                 FROM sessions s
                 JOIN companies c ON c.id = s.company_id AND c.deleted_at IS NULL
                 JOIN memberships m ON m.company_id = s.company_id
                     AND m.user_id = s.user_id AND m.removed_at IS NULL
                 WHERE s.secret_sha256 = ? AND s.ended_at IS NULL
                     AND s.expires_at > ? AND s.seen_at > ?",
                bind![secret_sha256, db.now, db.now.before(idle)],
                |cells| {
                    Ok(Open {
                        id: cells.next()?,
                        user: cells.next()?,
                        company: cells.next()?,
                        company_name: cells.next()?,
                        role: cells.next()?,
                        seen_at: cells.next()?,
                        expires_at: cells.next()?,
                    })
                },
            )
        })
        .await
    }

    async fn touch_session(&self, id: SessionId) -> Result<(), Error> {
        self.write("remember the use of a session", Of::Platform, move |db| {
            db.execute("UPDATE sessions SET seen_at = ? WHERE id = ?", bind![db.now, id])?;
            Ok(())
        })
        .await
    }

    async fn move_session(
        &self,
        id: SessionId,
        company: CompanyId,
        entry: Entry,
    ) -> Result<bool, Error> {
        self.write("move a session to another company", Of::Platform, move |db| {
            let moved = db.execute(
                "UPDATE sessions SET company_id = ?1 WHERE id = ?2 AND ended_at IS NULL
                 AND EXISTS (SELECT 1 FROM memberships m JOIN companies c ON c.id = m.company_id
                             WHERE m.company_id = ?1 AND m.user_id = sessions.user_id
                             AND m.removed_at IS NULL AND c.deleted_at IS NULL)",
                bind![company, id],
            )?;
            audit::record(db, Some(&entry).filter(|_| moved == 1))?;
            Ok(moved == 1)
        })
        .await
    }

    async fn end_session(&self, id: SessionId, entry: Entry) -> Result<bool, Error> {
        self.write("end a session", Of::Platform, move |db| {
            let ended = db.execute(
                "UPDATE sessions SET ended_at = ? WHERE id = ? AND ended_at IS NULL",
                bind![db.now, id],
            )?;
            audit::record(db, Some(&entry).filter(|_| ended == 1))?;
            Ok(ended == 1)
        })
        .await
    }
}

/// Ends a user's sessions, of one company or of all, but for one.
pub(super) fn end_sessions(
    db: &Db<'_>,
    user: UserId,
    company: Option<CompanyId>,
    kept: Option<SessionId>,
) -> Result<(), Failure> {
    db.execute(
        "UPDATE sessions SET ended_at = ?1 WHERE user_id = ?2 AND ended_at IS NULL
         AND (?3 IS NULL OR company_id = ?3) AND (?4 IS NULL OR id <> ?4)",
        bind![db.now, user, company, kept],
    )?;
    Ok(())
}

/// Revokes the open invitations that a user of a company made or was sent: who
/// made them, or what the user is, is no more what it was.
pub(super) fn revoke_invitations_of(
    db: &Db<'_>,
    company: CompanyId,
    user: UserId,
) -> Result<(), Failure> {
    db.execute(
        "UPDATE invitations SET revoked_at = ?1
         WHERE company_id = ?2 AND accepted_at IS NULL AND revoked_at IS NULL
         AND (created_by = ?3 OR name = (SELECT name FROM users WHERE id = ?3))",
        bind![db.now, company, user],
    )?;
    Ok(())
}

/// The user of this name, made where there is none.
pub(super) fn user_of_name(
    db: &Db<'_>,
    name: &str,
    email: Option<&str>,
) -> Result<UserId, Failure> {
    // Changes nothing where the name is there, but then answers its id.
    db.one(
        "INSERT INTO users (id, name, created_at, email) VALUES (?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET email = coalesce(users.email, excluded.email) RETURNING id",
        bind![UserId::new(), name, db.now, email],
        only::<UserId>,
    )?
    .ok_or_else(|| Failure::Content("expected the user's id, found none".to_owned()))
}

fn companies_of(db: &Db<'_>, user: UserId) -> Result<Vec<CompanyId>, Failure> {
    db.all(
        "SELECT m.company_id FROM memberships m JOIN companies c ON c.id = m.company_id
         WHERE m.user_id = ? AND m.removed_at IS NULL AND c.deleted_at IS NULL
         ORDER BY m.company_id",
        bind![user],
        only::<CompanyId>,
    )
}

/// Whether a user belongs to other companies, and not to this one.
pub(super) fn is_elsewhere(db: &Db<'_>, company: CompanyId, user: UserId) -> Result<bool, Failure> {
    let found = db.one(
        "SELECT count(*) > 0 AND count(*) FILTER (WHERE m.company_id = ?) = 0
         FROM memberships m JOIN companies c ON c.id = m.company_id
         WHERE m.user_id = ? AND m.removed_at IS NULL AND c.deleted_at IS NULL",
        bind![company, user],
        only::<bool>,
    )?;
    Ok(found.unwrap_or(false))
}

/// Makes a user a member, or changes its role.
pub(super) fn put_membership(
    db: &Db<'_>,
    company: CompanyId,
    user: UserId,
    role: Role,
) -> Result<(), Failure> {
    db.execute(
        "INSERT INTO memberships (company_id, user_id, role, created_at)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (company_id, user_id) DO UPDATE SET
             role = excluded.role,
             created_at = CASE WHEN memberships.removed_at IS NULL
                          THEN memberships.created_at ELSE excluded.created_at END,
             removed_at = NULL",
        bind![company, user, role, db.now],
    )?;
    Ok(())
}

pub(super) fn user(cells: &mut Cells<'_>) -> Result<User, Failure> {
    Ok(User {
        id: cells.next()?,
        name: cells.next()?,
        email: cells.next()?,
        password: cells.next()?,
    })
}
