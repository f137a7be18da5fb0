//! Random lives of tasks, against a model that is simple enough to be seen
//! right.

use std::time::Duration;

use domain::task::{ErrorKind, State, TaskError};
use domain::{TaskId, Text, Timestamp};
use proptest::prelude::*;
use store::tasks::{Cancelled, Finished, Lease, Outcome};

use crate::world::{LEASE, Tenant, World, claim, completed, ending, new};

/// Something that happens; numbers choose among the tasks and leases that
/// there are, those of long ago included.
#[derive(Clone, Debug)]
enum Act {
    Submit { claimed: bool, max_attempts: u32 },
    Claim { task: usize, ahead: u32 },
    Finish { lease: usize, how: How },
    Cancel { task: usize },
    Renew { lease: usize },
    Reap,
    Delete { task: usize },
    Pass { seconds: u64 },
}

#[derive(Clone, Copy, Debug)]
enum How {
    Complete,
    Fail,
    Cancel,
    Retry { delay_s: u64 },
    HandBack,
}

/// A task as the model sees it.
#[derive(Clone, Debug)]
struct Modelled {
    id: TaskId,
    state: State,
    attempt: u32,
    max_attempts: u32,
    available_at: Timestamp,
    cancel_requested: bool,
    deleted: bool,
    /// The lease that holds it, and until when.
    held: Option<(Lease, Timestamp)>,
}

#[derive(Default)]
struct Model {
    tasks: Vec<Modelled>,
    leases: Vec<Lease>,
}

fn act() -> impl Strategy<Value = Act> {
    let how = prop_oneof![
        Just(How::Complete),
        Just(How::Fail),
        Just(How::Cancel),
        (0..4_u64).prop_map(|delay_s| How::Retry { delay_s }),
        Just(How::HandBack),
    ];
    let one = 0..1000_usize;
    prop_oneof![
        4 => (any::<bool>(), 1..4_u32)
            .prop_map(|(claimed, max_attempts)| Act::Submit { claimed, max_attempts }),
        6 => (one.clone(), 0..8_u32)
            .prop_map(|(task, ahead)| Act::Claim { task, ahead: ahead.saturating_sub(6) }),
        6 => (one.clone(), how).prop_map(|(lease, how)| Act::Finish { lease, how }),
        2 => one.clone().prop_map(|task| Act::Cancel { task }),
        2 => one.clone().prop_map(|lease| Act::Renew { lease }),
        2 => Just(Act::Reap),
        1 => one.prop_map(|task| Act::Delete { task }),
        3 => (1..8_u64).prop_map(|seconds| Act::Pass { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_lives_end_as_in_the_model(acts in prop::collection::vec(act(), 1..60)) {
        live(async || World::on_sqlite(), acts);
    }

    #[test]
    fn random_lives_end_as_in_the_model_on_postgresql(
        acts in prop::collection::vec(act(), 1..60)
    ) {
        live(World::on_postgres, acts);
    }
}

fn live(world: impl AsyncFnOnce() -> World, acts: Vec<Act>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = world().await;
        let tenant = world.tenant("acme").await;
        let mut model = Model::default();
        for act in acts {
            model.perform(&world, &tenant, act).await;
            model.compare(&world, &tenant).await;
        }
    });
}

impl Model {
    async fn perform(&mut self, world: &World, tenant: &Tenant, act: Act) {
        let (store, company, now) = (&world.store, tenant.company, world.now());
        match act {
            Act::Submit { claimed, max_attempts } => {
                self.submit(world, tenant, claimed, max_attempts).await;
            }
            Act::Claim { task, ahead } => {
                let Some(at) = pick(&self.tasks, task) else { return };
                let task = &mut self.tasks[at];
                let claim = claim(task.attempt + 1 + ahead);
                let given = store.claim(company, task.id, claim).await.unwrap();
                let expected = task.state == State::Queued
                    && !task.deleted
                    && task.available_at <= now
                    && ahead == 0;
                assert_eq!(given.is_some(), expected);
                if expected {
                    let (task_id, attempt) = (task.id, claim.attempt);
                    let lease = Lease { company, task: task_id, attempt, token: claim.token };
                    task.state = State::Running;
                    task.attempt = attempt;
                    task.held = Some((lease, now.after(LEASE)));
                    self.leases.push(lease);
                }
            }
            Act::Finish { lease, how } => {
                let Some(at) = pick(&self.leases, lease) else { return };
                let lease = self.leases[at];
                let finished = store.finish(lease, how.ending()).await.unwrap();
                let expected = match self.holder(lease) {
                    Some(task) => Finished::Stored(task.finish(how, now)),
                    None => Finished::Fenced,
                };
                assert_eq!(finished, expected);
            }
            Act::Cancel { task } => {
                let Some(at) = pick(&self.tasks, task) else { return };
                let task = &mut self.tasks[at];
                let cancelled = store.cancel(company, task.id).await.unwrap();
                assert_eq!(cancelled, task.cancel());
            }
            Act::Renew { lease } => {
                let Some(at) = pick(&self.leases, lease) else { return };
                let lease = self.leases[at];
                let lost = store.renew(vec![lease], LEASE).await.unwrap();
                match self.holder(lease) {
                    Some(task) => {
                        task.held = Some((lease, now.after(LEASE)));
                        assert_eq!(lost, []);
                    }
                    None => assert_eq!(lost, [lease]),
                }
            }
            Act::Reap => {
                let mut reaped = store.reap(1000).await.unwrap();
                reaped.sort_by_key(|reaped| reaped.lease.task);
                let mut expected = Vec::new();
                for task in &mut self.tasks {
                    if let Some((lease, until)) = task.held
                        && until <= now
                    {
                        expected.push((lease, task.lose(now)));
                    }
                }
                expected.sort_by_key(|(lease, _)| lease.task);
                let found: Vec<_> = reaped.iter().map(|r| (r.lease, r.state)).collect();
                assert_eq!(found, expected);
                for reaped in reaped {
                    assert_eq!(reaped.queued.is_some(), reaped.state == State::Queued);
                }
            }
            Act::Delete { task } => {
                let Some(at) = pick(&self.tasks, task) else { return };
                let task = &mut self.tasks[at];
                let deleted = store.delete_task(company, task.id).await.unwrap();
                assert_eq!(deleted, task.state.is_final() && !task.deleted);
                task.deleted |= deleted;
            }
            Act::Pass { seconds } => world.pass(Duration::from_secs(seconds)),
        }
    }

    async fn submit(&mut self, world: &World, tenant: &Tenant, claimed: bool, max_attempts: u32) {
        let now = world.now();
        let mut task = world.task(tenant);
        task.retry.max_attempts = max_attempts;
        let mut modelled = Modelled {
            id: task.id,
            state: State::Queued,
            attempt: 0,
            max_attempts,
            available_at: now,
            cancel_requested: false,
            deleted: false,
            held: None,
        };
        let claim = claimed.then(|| claim(1));
        if let Some(claim) = claim {
            let (company, token) = (tenant.company, claim.token);
            let lease = Lease { company, task: task.id, attempt: 1, token };
            modelled.state = State::Running;
            modelled.attempt = 1;
            modelled.held = Some((lease, now.after(LEASE)));
            self.leases.push(lease);
        }
        world.store.submit(new(task, claim)).await.unwrap();
        self.tasks.push(modelled);
    }

    fn holder(&mut self, lease: Lease) -> Option<&mut Modelled> {
        self.tasks.iter_mut().find(|task| task.held.is_some_and(|(held, _)| held == lease))
    }

    /// What can be seen of the store is what the model says.
    async fn compare(&self, world: &World, tenant: &Tenant) {
        let store = &world.store;
        for modelled in &self.tasks {
            let task = store.task(tenant.company, modelled.id).await.unwrap();
            assert_eq!(task.is_none(), modelled.deleted);
            let Some(task) = task else { continue };
            assert_eq!(task.state, modelled.state);
            assert_eq!(task.attempt, modelled.attempt);
            assert_eq!(task.cancel_requested, modelled.cancel_requested);
            assert_eq!(task.completed_at.is_some(), modelled.state.is_final());
            assert_eq!(task.error.is_some(), modelled.state == State::Failed);
            assert_eq!(task.result.is_some(), modelled.state == State::Completed);
            if modelled.state == State::Queued {
                assert_eq!(task.available_at, modelled.available_at);
            }
        }
        let earliest = self.tasks.iter().filter_map(|task| task.held).map(|(_, until)| until).min();
        assert_eq!(store.earliest_lease().await.unwrap(), earliest);
        let queued = store.queued(None, 1000).await.unwrap();
        let expected = self.tasks.iter().filter(|task| task.state == State::Queued);
        assert_eq!(
            queued.iter().map(|queued| (queued.task, queued.next_attempt)).collect::<Vec<_>>(),
            expected.map(|task| (task.id, task.attempt + 1)).collect::<Vec<_>>()
        );
    }
}

impl Modelled {
    fn finish(&mut self, how: How, now: Timestamp) -> State {
        self.held = None;
        self.state = match how {
            How::Complete => State::Completed,
            How::Fail => State::Failed,
            How::Retry { .. } | How::HandBack if !self.cancel_requested => State::Queued,
            _ => State::Cancelled,
        };
        if self.state == State::Queued {
            let (counted, delay_s) = match how {
                How::Retry { delay_s } => (self.attempt, delay_s),
                _ => (self.attempt - 1, 0),
            };
            self.attempt = counted;
            self.available_at = now.after(Duration::from_secs(delay_s));
        }
        self.state
    }

    fn lose(&mut self, now: Timestamp) -> State {
        self.held = None;
        self.state = if self.cancel_requested {
            State::Cancelled
        } else if self.attempt < self.max_attempts {
            State::Queued
        } else {
            State::Failed
        };
        self.available_at = now;
        self.state
    }

    fn cancel(&mut self) -> Cancelled {
        match self.state {
            _ if self.deleted => Cancelled::NotFound,
            State::Queued => {
                self.state = State::Cancelled;
                Cancelled::Done
            }
            State::Running => {
                self.cancel_requested = true;
                Cancelled::Requested
            }
            ended => Cancelled::AlreadyEnded(ended),
        }
    }
}

impl How {
    fn ending(self) -> store::tasks::Ending {
        let error = TaskError::new(ErrorKind::Internal, Text::same("it stumbled"));
        match self {
            Self::Complete => completed("1"),
            Self::Fail => ending(Outcome::Failed(error)),
            Self::Cancel => ending(Outcome::Cancelled),
            Self::Retry { delay_s } => {
                ending(Outcome::Retry { error, delay: Duration::from_secs(delay_s) })
            }
            Self::HandBack => ending(Outcome::HandBack),
        }
    }
}

fn pick<T>(all: &[T], number: usize) -> Option<usize> {
    number.checked_rem(all.len())
}
