//! How attempts end: by their worker, or without it.

use std::time::Duration;

use domain::task::{ErrorKind, Progress, State, TaskError};
use domain::{Fault, LeaseToken, Text, WorkerId};
use store::tasks::{Artifact, Claim, Finished, Lease, Outcome, ResultRef};

use crate::world::{LEASE, World, claim, completed, digest, ending, new};

on_every_backend! {
    a_result_is_stored_as_it_came,
    a_large_result_is_a_reference,
    a_failure_keeps_its_typed_error,
    a_task_may_be_accepted_as_it_ended,
    of_many_finishes_exactly_one_is_stored,
    a_finish_with_another_token_or_attempt_is_fenced,
    a_lease_that_ran_out_still_holds_until_it_is_reaped,
    a_finish_after_the_task_was_taken_back_is_fenced,
    a_retry_waits_for_its_delay_and_counts_the_attempt,
    a_hand_back_counts_no_attempt,
    a_run_that_completed_all_the_same_stays_completed,
    what_was_to_be_cancelled_never_starts_again,
    a_dead_workers_task_is_taken_over,
    a_task_past_its_attempts_fails_in_both_languages,
    a_dead_workers_task_is_cancelled_where_that_was_asked_for,
    no_more_are_reaped_than_asked_for,
    a_renewed_lease_holds_and_a_lost_one_is_told,
    an_embedded_server_takes_back_all_but_its_own,
}

fn broken() -> TaskError {
    TaskError::new(ErrorKind::Internal, Text::new("the worker stumbled", "le worker a trébuché"))
}

async fn a_result_is_stored_as_it_came(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    world.pass(Duration::from_secs(2));
    // Bytes that a re-encoder would change.
    let bytes = b"{\"b\":1e0, \"a\" :-0.0,\"n\":123456789012345678901234567890}".to_vec();
    let mut given = ending(Outcome::Completed {
        result: ResultRef::Inline(bytes.clone()),
        non_finite: vec!["/a/0".to_owned()],
        warnings: vec![Fault::warning("outputs_mismatch", Text::same("hm")).at_key("/b")],
    });
    given.progress = Some(Progress { step: 0.1, total: Some(3.0), message: Some("é".into()) });
    let stored = world.store.finish(lease, given.clone()).await.unwrap();
    assert_eq!(stored, Finished::Stored(State::Completed));
    let task = world.read(&tenant, lease.task).await;
    assert_eq!(task.state, State::Completed);
    assert_eq!(task.completed_at, Some(world.now()));
    assert_eq!(task.result, Some(ResultRef::Inline(bytes)));
    assert_eq!(task.non_finite, ["/a/0"]);
    assert_eq!(task.warnings[0].key.as_deref(), Some("/b"));
    assert_eq!((task.progress, task.measured), (given.progress, Some(given.measured)));
    let runs = world.store.recent_durations_ms(tenant.company, tenant.version.id, 5).await;
    assert_eq!(runs.unwrap(), [0.1 + 0.2]);
}

async fn a_task_may_be_accepted_as_it_ended(world: World) {
    let tenant = world.tenant("acme").await;
    let mut task = world.task(&tenant);
    let (claim, begun) = (claim(1), world.now());
    world.pass(Duration::from_secs(2));
    let given = ending(Outcome::Failed(broken()));
    task.state = State::Failed;
    task.attempt = 1;
    task.worker = Some(claim.worker);
    task.started_at = Some(begun);
    task.completed_at = Some(world.now());
    task.error = Some(broken());
    task.measured = Some(given.measured);
    let artifact = Artifact {
        id: domain::ArtifactId::new(),
        name: "plot.png".to_owned(),
        media_type: "image/png".to_owned(),
        bytes: 3,
        digest: digest(9),
    };
    let mut accepted = new(task.clone(), Some(claim));
    accepted.artifacts.push(artifact.clone());
    world.store.submit(accepted).await.unwrap();
    assert_eq!(world.read(&tenant, task.id).await, task);
    let artifacts = world.store.artifacts(tenant.company, task.id).await.unwrap();
    assert_eq!(artifacts, [artifact]);
    let told = world.told(&tenant, task.id.0).await;
    assert_eq!(told, ["task.queued", "task.running", "task.failed"]);
    // Its attempt is over: nobody can end it again, and nobody takes it back.
    let lease = Lease { company: tenant.company, task: task.id, attempt: 1, token: claim.token };
    let again = world.store.finish(lease, completed("{}")).await.unwrap();
    assert_eq!(again, Finished::Fenced);
    world.pass(LEASE * 2);
    assert!(world.store.reap(100).await.unwrap().is_empty());
}

async fn a_large_result_is_a_reference(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    let result = ResultRef::Blob { digest: digest(6), bytes: 1 << 27 };
    let outcome =
        Outcome::Completed { result: result.clone(), non_finite: Vec::new(), warnings: Vec::new() };
    world.store.finish(lease, ending(outcome)).await.unwrap();
    assert_eq!(world.read(&tenant, lease.task).await.result, Some(result));
}

async fn a_failure_keeps_its_typed_error(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    let mut error = broken();
    error.kind = ErrorKind::OutOfMemory;
    error.limit = Some(5e-324);
    error.measured = Some(f64::MAX);
    error.traceback = Some("handler.py:3".to_owned());
    world.store.finish(lease, ending(Outcome::Failed(error.clone()))).await.unwrap();
    let task = world.read(&tenant, lease.task).await;
    assert_eq!((task.state, task.error), (State::Failed, Some(error)));
    assert_eq!(
        world.told(&tenant, lease.task.0).await,
        ["task.queued", "task.running", "task.failed"]
    );
}

async fn of_many_finishes_exactly_one_is_stored(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    let mut finishes = tokio::task::JoinSet::new();
    for n in 0..32 {
        let store = world.store.clone();
        finishes.spawn(async move { (n, store.finish(lease, completed(&n.to_string())).await) });
    }
    let finishes = finishes.join_all().await;
    let stored: Vec<_> = finishes
        .iter()
        .filter(|(_, finished)| *finished.as_ref().unwrap() != Finished::Fenced)
        .collect();
    assert_eq!(stored.len(), 1);
    let result = ResultRef::Inline(stored[0].0.to_string().into_bytes());
    assert_eq!(world.read(&tenant, lease.task).await.result, Some(result));
    assert_eq!(
        world.told(&tenant, lease.task.0).await,
        ["task.queued", "task.running", "task.completed"]
    );
}

async fn a_finish_with_another_token_or_attempt_is_fenced(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    for other in [
        Lease { token: LeaseToken::random(), ..lease },
        Lease { attempt: 0, ..lease },
        Lease { attempt: 2, ..lease },
    ] {
        let finished = world.store.finish(other, completed("0")).await.unwrap();
        assert_eq!(finished, Finished::Fenced);
    }
    let finished = world.store.finish(lease, completed("1")).await.unwrap();
    assert_eq!(finished, Finished::Stored(State::Completed));
}

async fn a_lease_that_ran_out_still_holds_until_it_is_reaped(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    world.pass(LEASE * 2);
    let finished = world.store.finish(lease, completed("1")).await.unwrap();
    assert_eq!(finished, Finished::Stored(State::Completed));
    assert!(world.store.reap(10).await.unwrap().is_empty());
}

async fn a_finish_after_the_task_was_taken_back_is_fenced(world: World) {
    let tenant = world.tenant("acme").await;
    let first = world.start(&tenant).await;
    world.pass(LEASE);
    assert_eq!(world.store.reap(10).await.unwrap().len(), 1);
    let late = world.store.finish(first, completed("\"late\"")).await.unwrap();
    assert_eq!(late, Finished::Fenced);
    let second = world.claim(&tenant, first.task, 2).await;
    let late = world.store.finish(first, completed("\"late\"")).await.unwrap();
    assert_eq!(late, Finished::Fenced);
    let stored = world.store.finish(second, completed("\"right\"")).await.unwrap();
    assert_eq!(stored, Finished::Stored(State::Completed));
    let result = world.read(&tenant, first.task).await.result;
    assert_eq!(result, Some(ResultRef::Inline(b"\"right\"".to_vec())));
}

async fn a_retry_waits_for_its_delay_and_counts_the_attempt(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    let delay = Duration::from_secs(4);
    let retry = ending(Outcome::Retry { error: broken(), delay });
    let stored = world.store.finish(lease, retry).await.unwrap();
    assert_eq!(stored, Finished::Stored(State::Queued));
    let task = world.read(&tenant, lease.task).await;
    assert_eq!((task.state, task.attempt), (State::Queued, 1));
    assert_eq!(task.available_at, world.now().after(delay));
    assert_eq!(task.error, None, "it has not failed");
    let queued = world.store.queued(None, 10).await.unwrap();
    assert_eq!((queued[0].next_attempt, queued[0].available_at), (2, task.available_at));
    let early = world.store.claim(tenant.company, lease.task, claim(2)).await.unwrap();
    assert!(early.is_none());
    world.pass(delay);
    world.claim(&tenant, lease.task, 2).await;
    assert_eq!(
        world.told(&tenant, lease.task.0).await,
        ["task.queued", "task.running", "task.retried", "task.running"]
    );
}

async fn a_hand_back_counts_no_attempt(world: World) {
    let tenant = world.tenant("acme").await;
    let mut lease = world.start(&tenant).await;
    for _ in 0..5 {
        let stored = world.store.finish(lease, ending(Outcome::HandBack)).await.unwrap();
        assert_eq!(stored, Finished::Stored(State::Queued));
        assert_eq!(world.read(&tenant, lease.task).await.attempt, 0);
        let before = lease;
        lease = world.claim(&tenant, lease.task, 1).await;
        let late = world.store.finish(before, completed("0")).await.unwrap();
        assert_eq!(late, Finished::Fenced, "the number is the same, the token is not");
    }
    let stored = world.store.finish(lease, completed("1")).await.unwrap();
    assert_eq!(stored, Finished::Stored(State::Completed));
}

async fn a_run_that_completed_all_the_same_stays_completed(world: World) {
    let tenant = world.tenant("acme").await;
    for (ending, state) in [
        (completed("1"), State::Completed),
        (ending(Outcome::Failed(broken())), State::Failed),
        (ending(Outcome::Cancelled), State::Cancelled),
    ] {
        let lease = world.start(&tenant).await;
        world.store.cancel(tenant.company, lease.task).await.unwrap();
        let stored = world.store.finish(lease, ending).await.unwrap();
        assert_eq!(stored, Finished::Stored(state));
    }
}

async fn what_was_to_be_cancelled_never_starts_again(world: World) {
    let tenant = world.tenant("acme").await;
    let retry = Outcome::Retry { error: broken(), delay: Duration::ZERO };
    for outcome in [retry, Outcome::HandBack] {
        let lease = world.start(&tenant).await;
        world.store.cancel(tenant.company, lease.task).await.unwrap();
        let stored = world.store.finish(lease, ending(outcome)).await.unwrap();
        assert_eq!(stored, Finished::Stored(State::Cancelled));
        assert_eq!(world.read(&tenant, lease.task).await.completed_at, Some(world.now()));
    }
}

async fn a_dead_workers_task_is_taken_over(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    assert_eq!(world.store.earliest_lease().await.unwrap(), Some(world.now().after(LEASE)));
    world.pass(LEASE - Duration::from_micros(1));
    assert!(world.store.reap(10).await.unwrap().is_empty());
    world.pass(Duration::from_micros(1));
    let reaped = world.store.reap(10).await.unwrap();
    assert_eq!((reaped[0].lease, reaped[0].state), (lease, State::Queued));
    let queued = reaped[0].queued.clone().unwrap();
    assert_eq!(world.store.queued(None, 10).await.unwrap(), std::slice::from_ref(&queued));
    assert_eq!((queued.next_attempt, queued.available_at), (2, world.now()));
    assert_eq!(world.store.earliest_lease().await.unwrap(), None);
    world.claim(&tenant, lease.task, 2).await;
    assert_eq!(
        world.told(&tenant, lease.task.0).await,
        ["task.queued", "task.running", "task.retried", "task.running"]
    );
}

async fn a_task_past_its_attempts_fails_in_both_languages(world: World) {
    let tenant = world.tenant("acme").await;
    let first = world.start(&tenant).await;
    world.pass(LEASE);
    world.store.reap(10).await.unwrap();
    let second = world.claim(&tenant, first.task, 2).await;
    world.pass(LEASE);
    let reaped = world.store.reap(10).await.unwrap();
    assert_eq!((reaped[0].lease, reaped[0].state), (second, State::Failed));
    assert_eq!(reaped[0].queued, None);
    let task = world.read(&tenant, first.task).await;
    assert_eq!((task.state, task.completed_at), (State::Failed, Some(world.now())));
    let error = task.error.unwrap();
    assert_eq!(error.kind, ErrorKind::LostWorker);
    assert!(error.message.en.contains("attempt 2 of 2"), "{}", error.message.en);
    assert!(error.message.fr.contains("tentative 2 sur 2"), "{}", error.message.fr);
    assert_eq!(world.told(&tenant, first.task.0).await.last(), Some(&"task.failed"));
}

async fn a_dead_workers_task_is_cancelled_where_that_was_asked_for(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    world.store.cancel(tenant.company, lease.task).await.unwrap();
    world.pass(LEASE);
    let reaped = world.store.reap(10).await.unwrap();
    assert_eq!((reaped[0].state, &reaped[0].queued), (State::Cancelled, &None));
    let task = world.read(&tenant, lease.task).await;
    assert_eq!((task.state, task.error), (State::Cancelled, None));
    assert_eq!(world.told(&tenant, lease.task.0).await.last(), Some(&"task.cancelled"));
}

async fn no_more_are_reaped_than_asked_for(world: World) {
    let tenant = world.tenant("acme").await;
    for _ in 0..5 {
        world.start(&tenant).await;
    }
    world.pass(LEASE);
    assert_eq!(world.store.reap(3).await.unwrap().len(), 3);
    assert_eq!(world.store.reap(3).await.unwrap().len(), 2);
    assert_eq!(world.store.reap(3).await.unwrap().len(), 0);
}

async fn a_renewed_lease_holds_and_a_lost_one_is_told(world: World) {
    let tenant = world.tenant("acme").await;
    let kept = world.start(&tenant).await;
    let ended = world.start(&tenant).await;
    world.store.finish(ended, completed("1")).await.unwrap();
    let foreign = Lease { token: LeaseToken::random(), ..kept };
    world.pass(LEASE - Duration::from_secs(1));
    let lost = world.store.renew(vec![kept, ended, foreign], LEASE).await.unwrap();
    assert_eq!(lost, [ended, foreign]);
    assert_eq!(world.store.earliest_lease().await.unwrap(), Some(world.now().after(LEASE)));
    world.pass(LEASE - Duration::from_secs(1));
    assert!(world.store.reap(10).await.unwrap().is_empty());
    assert!(world.store.renew(Vec::new(), LEASE).await.unwrap().is_empty());
}

async fn an_embedded_server_takes_back_all_but_its_own(world: World) {
    let tenant = world.tenant("acme").await;
    let earlier = world.start(&tenant).await;
    let survivor = WorkerId::new();
    let own = Claim { worker: survivor, ..claim(1) };
    let task = world.task(&tenant);
    world.store.submit(new(task.clone(), Some(own))).await.unwrap();
    let reaped = world.store.reap_all_but(survivor).await.unwrap();
    assert_eq!(reaped.iter().map(|reaped| reaped.lease).collect::<Vec<_>>(), [earlier]);
    assert_eq!(world.read(&tenant, task.id).await.state, State::Running);
    assert!(world.store.reap_all_but(survivor).await.unwrap().is_empty());
}
