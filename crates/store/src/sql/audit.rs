//! The audit log.

use async_trait::async_trait;
use domain::permission::Credential;
use domain::{AuditId, SessionId, TokenId};
use uuid::Uuid;

use super::rows::{Cells, Db, Failure, bind};
use super::{Database, Of};
use crate::audit::{Audit, Entry, Filter, Outcome, Record};
use crate::page::paged;
use crate::{Cursor, Error, Page};

#[async_trait]
impl<D: Database> Audit for D {
    async fn record(&self, entry: Entry) -> Result<(), Error> {
        self.write("write the audit log", Of::Platform, move |db| record(db, Some(&entry))).await
    }

    async fn audit(
        &self,
        filter: Filter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Record>, Error> {
        self.scan("read the audit log", move |db| {
            let Filter { company, user, action, since, until } = filter;
            // The log of a company or a user walks an index of its own.
            let narrowed = [
                ("a.company_id = ?1", company.is_some()),
                ("a.user_id = ?2", user.is_some()),
                (
                    "(a.action = ?3 OR substr(a.action, 1, length(?3) + 1) = ?3 || '.')",
                    action.is_some(),
                ),
                ("a.at >= ?4", since.is_some()),
                ("a.at < ?5", until.is_some()),
            ];
            let narrowed: String = narrowed
                .iter()
                .filter(|(_, asked)| *asked)
                .map(|(condition, _)| format!(" AND {condition}"))
                .collect();
            let found = db.all(
                &format!(
                    "SELECT a.id, a.company_id, a.user_id, u.name, a.credential, a.credential_id,
                            a.action, a.resource, a.outcome, a.address, a.request_id, a.at
                     FROM audit a LEFT JOIN users u ON u.id = a.user_id
                     WHERE (?6 IS NULL OR a.id < ?6){narrowed}
                     ORDER BY a.id DESC LIMIT ?7"
                ),
                bind![
                    company,
                    user,
                    action,
                    since,
                    until,
                    after.map(|c| c.0),
                    u64::from(limit) + 1
                ],
                read,
            )?;
            Ok(paged(found, limit, |record| record.id.0))
        })
        .await
    }
}

/// Writes a row, where there is one to be written.
pub(super) fn record(db: &Db<'_>, entry: Option<&Entry>) -> Result<(), Failure> {
    let Some(entry) = entry else { return Ok(()) };
    let (credential, id) = match entry.credential {
        Credential::Nothing => ("nothing", None),
        Credential::Token(id) => ("token", Some(id.0)),
        Credential::Session(id) => ("session", Some(id.0)),
    };
    db.execute(
        "INSERT INTO audit (id, company_id, user_id, credential, credential_id, action, resource,
                            outcome, address, request_id, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        bind![
            AuditId::new(),
            entry.company,
            entry.user,
            credential,
            id,
            entry.action,
            entry.resource,
            entry.outcome.as_str(),
            entry.address.map(|address| address.to_string()),
            entry.request_id.as_deref(),
            db.now,
        ],
    )?;
    Ok(())
}

fn read(cells: &mut Cells<'_>) -> Result<Record, Failure> {
    Ok(Record {
        id: cells.next()?,
        company: cells.next()?,
        user: cells.next()?,
        user_name: cells.next()?,
        credential: credential(cells)?,
        action: cells.next()?,
        resource: cells.next()?,
        outcome: match cells.next::<String>()?.as_str() {
            "done" => Outcome::Done,
            _ => Outcome::Refused,
        },
        address: cells.next()?,
        request_id: cells.next()?,
        at: cells.next()?,
    })
}

fn credential(cells: &mut Cells<'_>) -> Result<Credential, Failure> {
    let (kind, id): (String, Option<Uuid>) = (cells.next()?, cells.next()?);
    match (kind.as_str(), id) {
        ("nothing", None) => Ok(Credential::Nothing),
        ("token", Some(id)) => Ok(Credential::Token(TokenId(id))),
        ("session", Some(id)) => Ok(Credential::Session(SessionId(id))),
        (kind, _) => Err(Failure::Content(format!("expected a credential, found `{kind}`"))),
    }
}
