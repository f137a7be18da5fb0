//! Invitations.

use async_trait::async_trait;
use domain::permission::Role;
use domain::{CompanyId, Digest, InvitationId, UserId};

use super::rows::{Cells, Db, Failure, bind, only};
use super::{Database, Of, audit, logins};
use crate::Error;
use crate::audit::Entry;
use crate::invitations::{Invitation, Invitations, Settled, Waiting};

const INVITATION: &str = "i.company_id, i.id, i.secret_sha256, i.name, i.email, i.role, \
                          i.created_by, i.created_at, i.expires_at, i.accepted_at, i.revoked_at";

#[async_trait]
impl<D: Database> Invitations for D {
    async fn invite(
        &self,
        invitation: Invitation,
        most: Role,
        entry: Entry,
    ) -> Result<Settled, Error> {
        self.write("store an invitation", Of::Company(invitation.company), move |db| {
            let open = db.all(
                "SELECT role FROM invitations WHERE company_id = ?1 AND name = ?2
                 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?3",
                bind![invitation.company, invitation.name, db.now],
                only::<Role>,
            )?;
            if let Some(above) = open.into_iter().find(|role| *role > most) {
                return Ok(Settled::Above(above));
            }
            db.execute(
                "UPDATE invitations SET revoked_at = ?
                 WHERE company_id = ? AND name = ? AND accepted_at IS NULL AND revoked_at IS NULL",
                bind![db.now, invitation.company, invitation.name],
            )?;
            db.execute(
                "INSERT INTO invitations (company_id, id, secret_sha256, name, email, role,
                                          created_by, created_at, expires_at)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                bind![
                    invitation.company,
                    invitation.id,
                    invitation.secret_sha256,
                    invitation.name,
                    invitation.email,
                    invitation.role,
                    invitation.created_by,
                    invitation.created_at,
                    invitation.expires_at,
                ],
            )?;
            audit::record(db, Some(&entry))?;
            Ok(Settled::Done)
        })
        .await
    }

    async fn invitations(&self, company: CompanyId) -> Result<Vec<Invitation>, Error> {
        self.scan("list invitations", move |db| {
            db.all(
                &format!(
                    "SELECT {INVITATION} FROM invitations i WHERE i.company_id = ?
                     ORDER BY i.id DESC LIMIT 1000"
                ),
                bind![company],
                invitation,
            )
        })
        .await
    }

    async fn revoke_invitation(
        &self,
        company: CompanyId,
        id: InvitationId,
        most: Role,
        entry: Entry,
    ) -> Result<Settled, Error> {
        self.write("revoke an invitation", Of::Company(company), move |db| {
            let open = db.one(
                "SELECT role FROM invitations WHERE company_id = ?1 AND id = ?2
                 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?3",
                bind![company, id, db.now],
                only::<Role>,
            )?;
            match open {
                None => return Ok(Settled::Missing),
                Some(role) if role > most => return Ok(Settled::Above(role)),
                Some(_) => {}
            }
            db.execute(
                "UPDATE invitations SET revoked_at = ? WHERE company_id = ? AND id = ?",
                bind![db.now, company, id],
            )?;
            audit::record(db, Some(&entry))?;
            Ok(Settled::Done)
        })
        .await
    }

    async fn invitation(&self, secret_sha256: Digest) -> Result<Option<Waiting>, Error> {
        self.look_up("read an invitation", move |db| waiting(db, secret_sha256)).await
    }

    async fn accept(
        &self,
        waiting: Waiting,
        password: Option<String>,
        entry: Entry,
    ) -> Result<Option<UserId>, Error> {
        let of = Of::Company(waiting.invitation.company);
        self.write("accept an invitation", of, move |db| {
            // What was decided on what stood there holds only while it stands.
            if self::waiting(db, waiting.invitation.secret_sha256)?.as_ref() != Some(&waiting) {
                return Ok(None);
            }
            accept(db, &waiting.invitation, password, entry).map(Some)
        })
        .await
    }
}

fn accept(
    db: &Db<'_>,
    invitation: &Invitation,
    password: Option<String>,
    entry: Entry,
) -> Result<UserId, Failure> {
    let Invitation { company, id, name, email, role, .. } = invitation;
    let user = logins::user_of_name(db, name, email.as_deref())?;
    if let Some(hash) = password {
        db.execute("UPDATE users SET password = ? WHERE id = ?", bind![hash, user])?;
        logins::end_sessions(db, user, None, None)?;
    }
    let present = db.one(
        "SELECT 1 FROM memberships WHERE company_id = ? AND user_id = ? AND removed_at IS NULL",
        bind![company, user],
        only::<i64>,
    )?;
    if present.is_none() {
        logins::put_membership(db, *company, user, *role)?;
    }
    db.execute(
        "UPDATE invitations SET accepted_at = ? WHERE company_id = ? AND id = ?",
        bind![db.now, company, id],
    )?;
    audit::record(db, Some(&Entry { user: Some(user), ..entry }))?;
    Ok(user)
}

fn waiting(db: &Db<'_>, secret_sha256: Digest) -> Result<Option<Waiting>, Failure> {
    let found = db.one(
        &format!(
            "SELECT {INVITATION}, c.name FROM invitations i
             JOIN companies c ON c.id = i.company_id AND c.deleted_at IS NULL
             WHERE i.secret_sha256 = ? AND i.accepted_at IS NULL AND i.revoked_at IS NULL
                 AND i.expires_at > ?"
        ),
        bind![secret_sha256, db.now],
        |cells| Ok((invitation(cells)?, cells.next::<String>()?)),
    )?;
    let Some((invitation, company_name)) = found else { return Ok(None) };
    let user = db.one(
        "SELECT u.id, u.name, u.email, u.password, EXISTS (
             SELECT 1 FROM memberships m WHERE m.user_id = u.id AND m.company_id <> ?)
         FROM users u WHERE u.name = ?",
        bind![invitation.company, invitation.name],
        |cells| Ok((logins::user(cells)?, cells.next()?)),
    )?;
    Ok(Some(Waiting { invitation, company_name, user }))
}

fn invitation(cells: &mut Cells<'_>) -> Result<Invitation, Failure> {
    Ok(Invitation {
        company: cells.next()?,
        id: cells.next()?,
        secret_sha256: cells.next()?,
        name: cells.next()?,
        email: cells.next()?,
        role: cells.next()?,
        created_by: cells.next()?,
        created_at: cells.next()?,
        expires_at: cells.next()?,
        accepted_at: cells.next()?,
        revoked_at: cells.next()?,
    })
}
