//! The view over all companies.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::task::State;
use domain::{Clock, CompanyId, DeploymentId, TaskId, Timestamp, WorkerId};

use super::rows::{Cells, Db, Failure, JsonOrNull, bind, only};
use super::{Database, Of, attempts};
use crate::Error;
use crate::operator::{Operator, Queued, Reaped, Worker};
use crate::tasks::Lease;

#[async_trait]
impl<D: Database> Operator for D {
    async fn queued(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<Queued>, Error> {
        self.scan("read the queue", move |db| open(db, State::Queued, after, limit)).await
    }

    async fn running(&self, after: Option<TaskId>, limit: u32) -> Result<Vec<Queued>, Error> {
        self.scan("read what runs", move |db| open(db, State::Running, after, limit)).await
    }

    async fn renew(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Lease>, Error> {
        if leases.is_empty() {
            return Ok(leases);
        }
        let of = Of::Companies(leases.iter().map(|held| held.company).collect());
        self.write("renew leases", of, move |db| {
            let mut lost = Vec::new();
            for held in leases {
                if !attempts::renew(db, &held, db.now.after(lease))? {
                    lost.push(held);
                }
            }
            Ok(lost)
        })
        .await
    }

    async fn reap(&self, limit: u32) -> Result<Vec<Reaped>, Error> {
        let action = "take back tasks whose lease ran out";
        let lost = self
            .scan(action, move |db| {
                db.all(
                    "SELECT company_id, resource_id, number, token FROM attempts
                     WHERE ended_at IS NULL AND lease_until <= ? AND kind = 'task'
                     ORDER BY lease_until LIMIT ?",
                    bind![db.now, limit],
                    attempts::lease,
                )
            })
            .await?;
        lose_all(self, action, lost, |db, until| until <= db.now).await
    }

    async fn reap_all_but(&self, survivor: WorkerId) -> Result<Vec<Reaped>, Error> {
        let action = "take back the tasks of earlier workers";
        let lost = self
            .scan(action, move |db| {
                db.all(
                    "SELECT company_id, resource_id, number, token FROM attempts
                     WHERE ended_at IS NULL AND kind = 'task' AND worker_id <> ?
                     ORDER BY lease_until",
                    bind![survivor],
                    attempts::lease,
                )
            })
            .await?;
        lose_all(self, action, lost, |_, _| true).await
    }

    async fn earliest_lease(&self) -> Result<Option<Timestamp>, Error> {
        self.look_up("read the earliest lease", move |db| {
            db.one(
                "SELECT lease_until FROM attempts WHERE ended_at IS NULL
                 ORDER BY lease_until LIMIT 1",
                bind![],
                only,
            )
        })
        .await
    }

    async fn open_deployments(&self) -> Result<Vec<(CompanyId, DeploymentId)>, Error> {
        self.scan("list running deployments", move |db| {
            db.all(
                "SELECT company_id, id FROM deployments WHERE status = 'running' ORDER BY id",
                bind![],
                |cells| Ok((cells.next()?, cells.next()?)),
            )
        })
        .await
    }

    async fn claim_deployments(
        &self,
        worker: WorkerId,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<(CompanyId, DeploymentId)>, Error> {
        self.write("claim deployments", Of::Platform, move |db| {
            let open = db.all(
                "SELECT company_id, id FROM deployments
                 WHERE status = 'running' AND (lease_until IS NULL OR lease_until <= ?)
                 ORDER BY id LIMIT ?",
                bind![db.now, limit],
                |cells| Ok((cells.next()?, cells.next()?)),
            )?;
            let mut claimed = Vec::with_capacity(open.len());
            for (company, id) in open {
                // Another worker may be a moment ahead.
                let won = db.execute(
                    "UPDATE deployments SET worker_id = ?, lease_until = ?
                     WHERE company_id = ? AND id = ? AND status = 'running'
                     AND (lease_until IS NULL OR lease_until <= ?)",
                    bind![worker, db.now.after(lease), company, id, db.now],
                )?;
                if won == 1 {
                    claimed.push((company, id));
                }
            }
            Ok(claimed)
        })
        .await
    }

    async fn renew_deployments(&self, worker: WorkerId, lease: Duration) -> Result<u64, Error> {
        self.write("renew deployments", Of::Platform, move |db| {
            let renewed = db.execute(
                "UPDATE deployments SET lease_until = ? WHERE status = 'running' AND worker_id = ?",
                bind![db.now.after(lease), worker],
            )?;
            Ok(renewed)
        })
        .await
    }

    async fn put_worker(&self, worker: Worker) -> Result<(), Error> {
        self.write("register a worker", Of::Platform, move |db| {
            db.execute(
                "INSERT INTO workers (id, host, slots, draining, started_at, seen_at, status)
                 VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (id) DO UPDATE SET host = excluded.host, slots = excluded.slots,
                     draining = excluded.draining, seen_at = excluded.seen_at,
                     status = excluded.status",
                bind![
                    worker.id,
                    worker.host,
                    worker.slots,
                    worker.draining,
                    worker.started_at,
                    worker.seen_at,
                    JsonOrNull(worker.status.as_ref()),
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn workers(&self, within: Duration) -> Result<Vec<Worker>, Error> {
        self.scan("list workers", move |db| {
            db.all(
                "SELECT id, host, slots, draining, started_at, seen_at, status FROM workers
                 WHERE seen_at >= ? ORDER BY id",
                bind![db.now.before(within)],
                |cells| {
                    Ok(Worker {
                        id: cells.next()?,
                        host: cells.next()?,
                        slots: cells.next()?,
                        draining: cells.next()?,
                        started_at: cells.next()?,
                        seen_at: cells.next()?,
                        status: cells.json_or_null()?,
                    })
                },
            )
        })
        .await
    }

    async fn counts(&self) -> Result<Vec<(State, u64)>, Error> {
        self.scan("count tasks", move |db| {
            let found = db.all(
                "SELECT state, count(*) FROM tasks WHERE deleted_at IS NULL GROUP BY state",
                bind![],
                |cells| Ok((cells.next::<State>()?, cells.next::<u64>()?)),
            )?;
            let count = |state| {
                found.iter().find(|(counted, _)| *counted == state).map_or(0, |(_, count)| *count)
            };
            Ok(State::ALL.iter().map(|&state| (state, count(state))).collect())
        })
        .await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Database::clock(self)
    }

    async fn ping(&self) -> Result<(), Error> {
        if !self.takes_writes() {
            return Err(Error::Closed);
        }
        self.look_up("answer a ping", |db| {
            db.one("SELECT 1 FROM companies LIMIT 1", bind![], only::<i64>).map(drop)
        })
        .await
    }

    async fn close(&self) {
        Database::close(self).await;
    }
}

/// Takes tasks back whose attempts are still open, and whose deadline `is_due`:
/// they may have been finished or renewed since they were found.
async fn lose_all(
    database: &impl Database,
    action: &'static str,
    lost: Vec<Lease>,
    is_due: fn(&Db<'_>, Timestamp) -> bool,
) -> Result<Vec<Reaped>, Error> {
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    let of = Of::Companies(lost.iter().map(|lease| lease.company).collect());
    database
        .write(action, of, move |db| {
            let mut reaped = Vec::new();
            for lease in lost {
                if attempts::deadline(db, &lease)?.is_some_and(|until| is_due(db, until)) {
                    reaped.push(attempts::lose(db, lease)?);
                }
            }
            Ok(reaped)
        })
        .await
}

fn open(
    db: &Db<'_>,
    state: State,
    after: Option<TaskId>,
    limit: u32,
) -> Result<Vec<Queued>, Failure> {
    db.all(
        "SELECT company_id, id, version_id, class, priority, expected_ms, attempt, available_at
         FROM tasks WHERE state = ? AND deleted_at IS NULL AND id > ?
         ORDER BY id LIMIT ?",
        bind![state, after.map_or(uuid::Uuid::nil(), |task| task.0), limit],
        queued,
    )
}

fn queued(cells: &mut Cells<'_>) -> Result<Queued, Failure> {
    Ok(Queued {
        company: cells.next()?,
        task: cells.next()?,
        version: cells.next()?,
        class: cells.next()?,
        priority: cells.next()?,
        expected_ms: cells.next()?,
        next_attempt: cells.next::<u32>()? + 1,
        available_at: cells.next()?,
    })
}
