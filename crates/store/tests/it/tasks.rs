//! Tasks from their submission to a claim, and how they are found again.

use std::time::Duration;

use domain::task::{Priority, Progress, QueueClass, State};
use domain::{FunctionId, TaskId, UserId};
use serde_json::json;
use store::tasks::{Cancelled, Filter, InputsRef, Lease, Outcome, ResultRef};
use store::{Cursor, Error};

use crate::world::{World, claim, completed, digest, ending, new};

on_every_backend! {
    a_submitted_task_is_read_as_it_was_written,
    a_task_submitted_with_a_claim_runs_at_once,
    a_task_answered_from_an_earlier_result_is_stored_as_completed,
    the_same_task_is_accepted_once,
    large_inputs_are_a_reference,
    a_claim_answers_the_task_and_its_inputs,
    of_many_claims_one_is_given,
    a_claim_of_another_attempt_or_before_its_time_is_refused,
    a_waiting_task_is_cancelled_at_once,
    a_running_task_is_asked_to_cancel,
    pages_follow_each_other_newest_first,
    a_listing_is_narrowed_by_state_function_and_user,
    a_deleted_task_is_gone_with_its_artifacts,
    the_newest_result_under_a_cache_key_is_found,
    events_have_no_gaps_under_concurrency,
}

async fn a_submitted_task_is_read_as_it_was_written(world: World) {
    let tenant = world.tenant("acme").await;
    let mut task = world.task(&tenant);
    task.priority = Priority::try_from(9).unwrap();
    task.class = QueueClass::LongRunning;
    task.expected_ms = 5e-324;
    task.timeout_ms = u64::from(u32::MAX) * 1000;
    task.retry.on_user_error = true;
    world.store.submit(new(task.clone(), None)).await.unwrap();
    assert_eq!(world.read(&tenant, task.id).await, task);
    let inputs = world.store.inputs(tenant.company, task.id).await.unwrap().unwrap();
    assert_eq!(inputs, InputsRef::Inline(br#"{"force": 1000}"#.to_vec()));
    assert_eq!(world.told(&tenant, task.id.0).await, ["task.queued"]);
}

async fn a_task_submitted_with_a_claim_runs_at_once(world: World) {
    let tenant = world.tenant("acme").await;
    let task = world.task(&tenant);
    let claim = claim(1);
    world.store.submit(new(task.clone(), Some(claim))).await.unwrap();
    let running = world.read(&tenant, task.id).await;
    assert_eq!((running.state, running.attempt), (State::Running, 1));
    assert_eq!((running.worker, running.started_at), (Some(claim.worker), Some(world.now())));
    let lease = Lease { company: tenant.company, task: task.id, attempt: 1, token: claim.token };
    world.store.finish(lease, completed("1")).await.unwrap();
    assert_eq!(
        world.told(&tenant, task.id.0).await,
        ["task.queued", "task.running", "task.completed"]
    );
}

async fn a_task_answered_from_an_earlier_result_is_stored_as_completed(world: World) {
    let tenant = world.tenant("acme").await;
    let mut task = world.task(&tenant);
    task.state = State::Completed;
    task.cached = true;
    task.result = Some(ResultRef::Inline(b"42".to_vec()));
    task.completed_at = Some(world.now());
    world.store.submit(new(task.clone(), None)).await.unwrap();
    assert_eq!(world.read(&tenant, task.id).await, task);
    assert_eq!(world.told(&tenant, task.id.0).await, ["task.queued", "task.completed"]);
    let runs = world.store.recent_durations_ms(tenant.company, tenant.version.id, 5).await;
    assert_eq!(runs.unwrap(), [0.0; 0], "what did not run has no duration");
}

async fn the_same_task_is_accepted_once(world: World) {
    let tenant = world.tenant("acme").await;
    let task = world.task(&tenant);
    world.store.submit(new(task.clone(), None)).await.unwrap();
    let again = world.store.submit(new(task.clone(), None)).await;
    assert!(matches!(again, Err(Error::NameTaken { what: "task", .. })), "{again:?}");
    assert_eq!(world.told(&tenant, task.id.0).await, ["task.queued"]);
}

async fn large_inputs_are_a_reference(world: World) {
    let tenant = world.tenant("acme").await;
    let mut submitted = new(world.task(&tenant), None);
    submitted.inputs = InputsRef::Blob { digest: digest(4), bytes: 1 << 33 };
    world.store.submit(submitted.clone()).await.unwrap();
    let inputs = world.store.inputs(tenant.company, submitted.task.id).await.unwrap();
    assert_eq!(inputs, Some(submitted.inputs));
}

async fn a_claim_answers_the_task_and_its_inputs(world: World) {
    let tenant = world.tenant("acme").await;
    let id = world.queue(&tenant).await;
    let claim = claim(1);
    let claimed = world.store.claim(tenant.company, id, claim).await.unwrap();
    let (task, inputs) = claimed.unwrap();
    assert_eq!(task, world.read(&tenant, id).await);
    assert_eq!((task.state, task.attempt), (State::Running, 1));
    assert_eq!((task.worker, task.started_at), (Some(claim.worker), Some(world.now())));
    assert_eq!(inputs, InputsRef::Inline(br#"{"force": 1000}"#.to_vec()));
    assert_eq!(world.told(&tenant, id.0).await, ["task.queued", "task.running"]);
}

async fn of_many_claims_one_is_given(world: World) {
    let tenant = world.tenant("acme").await;
    let id = world.queue(&tenant).await;
    let mut claims = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let store = world.store.clone();
        claims.spawn(async move { store.claim(tenant.company, id, claim(1)).await.unwrap() });
    }
    let given = claims.join_all().await.into_iter().flatten().count();
    assert_eq!(given, 1);
    assert_eq!(world.told(&tenant, id.0).await, ["task.queued", "task.running"]);
}

async fn a_claim_of_another_attempt_or_before_its_time_is_refused(world: World) {
    let tenant = world.tenant("acme").await;
    let mut task = world.task(&tenant);
    task.available_at = world.now().after(Duration::from_secs(3));
    world.store.submit(new(task.clone(), None)).await.unwrap();
    let refused = async |attempt| {
        world.store.claim(tenant.company, task.id, claim(attempt)).await.unwrap().is_none()
    };
    assert!(refused(1).await, "it is not available yet");
    world.pass(Duration::from_secs(3));
    assert!(refused(2).await, "attempt 1 comes first");
    assert!(refused(0).await, "attempts count from 1");
    assert!(!refused(1).await);
    assert!(refused(2).await, "it runs already");
}

async fn a_waiting_task_is_cancelled_at_once(world: World) {
    let tenant = world.tenant("acme").await;
    let id = world.queue(&tenant).await;
    assert_eq!(world.store.cancel(tenant.company, id).await.unwrap(), Cancelled::Done);
    let task = world.read(&tenant, id).await;
    assert_eq!((task.state, task.completed_at), (State::Cancelled, Some(world.now())));
    assert_eq!(
        world.store.cancel(tenant.company, id).await.unwrap(),
        Cancelled::AlreadyEnded(State::Cancelled)
    );
    assert!(world.store.claim(tenant.company, id, claim(1)).await.unwrap().is_none());
    assert_eq!(
        world.store.cancel(tenant.company, TaskId::new()).await.unwrap(),
        Cancelled::NotFound
    );
    assert_eq!(world.told(&tenant, id.0).await, ["task.queued", "task.cancelled"]);
}

async fn a_running_task_is_asked_to_cancel(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    for _ in 0..2 {
        let asked = world.store.cancel(tenant.company, lease.task).await.unwrap();
        assert_eq!(asked, Cancelled::Requested);
    }
    let task = world.read(&tenant, lease.task).await;
    assert_eq!((task.state, task.cancel_requested), (State::Running, true));
}

async fn pages_follow_each_other_newest_first(world: World) {
    let tenant = world.tenant("acme").await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(world.queue(&tenant).await);
    }
    let lease = world.claim(&tenant, ids[6], 1).await;
    world.store.finish(lease, completed("1")).await.unwrap();
    ids.reverse();
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = world.store.tasks(tenant.company, Filter::default(), after, 3).await.unwrap();
        assert!(page.items.iter().all(|task| task.result.is_none()), "results are not listed");
        listed.extend(page.items.iter().map(|task| task.id));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(listed, ids);
    let last = Some(Cursor(ids[6].0));
    let page = world.store.tasks(tenant.company, Filter::default(), last, 3).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
}

async fn a_listing_is_narrowed_by_state_function_and_user(world: World) {
    let tenant = world.tenant("acme").await;
    let waiting = world.queue(&tenant).await;
    let running = world.start(&tenant).await.task;
    let list = async |filter| {
        let page = world.store.tasks(tenant.company, filter, None, 10).await.unwrap();
        page.items.iter().map(|task| task.id).collect::<Vec<_>>()
    };
    let (function, user) = (Some(tenant.version.function), Some(tenant.user));
    let by_state = |state| Filter { state: Some(state), ..Filter::default() };
    assert_eq!(list(by_state(State::Queued)).await, [waiting]);
    assert_eq!(list(by_state(State::Running)).await, [running]);
    assert_eq!(list(by_state(State::Completed)).await, []);
    let all = Filter { function, user, state: None };
    assert_eq!(list(all).await, [running, waiting]);
    assert_eq!(list(Filter { function, user, state: Some(State::Queued) }).await, [waiting]);
    assert_eq!(list(Filter { user: Some(UserId::new()), ..Filter::default() }).await, []);
    assert_eq!(list(Filter { function: Some(FunctionId::new()), ..Filter::default() }).await, []);
}

async fn a_deleted_task_is_gone_with_its_artifacts(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    assert!(!world.store.delete_task(tenant.company, lease.task).await.unwrap(), "it runs");
    let mut ending = completed("1");
    ending.artifacts = vec![crate::files::artifact("plot.png")];
    let artifact = ending.artifacts[0].id;
    world.store.finish(lease, ending).await.unwrap();
    assert!(world.store.delete_task(tenant.company, lease.task).await.unwrap());
    assert!(!world.store.delete_task(tenant.company, lease.task).await.unwrap());
    let company = tenant.company;
    assert!(world.store.task(company, lease.task).await.unwrap().is_none());
    assert!(world.store.inputs(company, lease.task).await.unwrap().is_none());
    assert!(world.store.artifacts(company, lease.task).await.unwrap().is_empty());
    assert!(world.store.artifact(company, artifact).await.unwrap().is_none());
    assert_eq!(world.store.cancel(company, lease.task).await.unwrap(), Cancelled::NotFound);
    let page = world.store.tasks(company, Filter::default(), None, 10).await.unwrap();
    assert!(page.items.is_empty());
}

async fn the_newest_result_under_a_cache_key_is_found(world: World) {
    let tenant = world.tenant("acme").await;
    let (company, version) = (tenant.company, tenant.version.id);
    let start = world.now();
    let mut last = None;
    for result in ["1", "2"] {
        world.pass(Duration::from_secs(1));
        let mut submitted = new(world.task(&tenant), None);
        submitted.cache_key = Some(digest(5));
        world.store.submit(submitted.clone()).await.unwrap();
        let lease = world.claim(&tenant, submitted.task.id, 1).await;
        world.store.finish(lease, completed(result)).await.unwrap();
        last = Some(submitted.task.id);
    }
    // Neither a failure nor an answer that was itself taken from the cache:
    // that one would keep a result alive for ever.
    let mut failing = new(world.task(&tenant), None);
    failing.cache_key = Some(digest(5));
    world.store.submit(failing.clone()).await.unwrap();
    let lease = world.claim(&tenant, failing.task.id, 1).await;
    world.store.finish(lease, ending(Outcome::Cancelled)).await.unwrap();
    let mut cached = new(world.task(&tenant), None);
    cached.cache_key = Some(digest(5));
    cached.task.state = State::Completed;
    cached.task.cached = true;
    world.store.submit(cached).await.unwrap();

    let find = async |key, since| {
        world.store.cached_result(company, version, digest(key), since).await.unwrap()
    };
    let found = find(5, start).await.unwrap();
    assert_eq!(Some(found.id), last);
    assert_eq!(found.result, Some(ResultRef::Inline(b"2".to_vec())));
    assert!(find(6, start).await.is_none(), "another key");
    assert!(find(5, world.now()).await.is_none(), "too old");
}

async fn events_have_no_gaps_under_concurrency(world: World) {
    let tenant = world.tenant("acme").await;
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..64 {
        let (store, mut task) = (world.store.clone(), world.task(&tenant));
        if n % 4 == 0 {
            // Fails at its foreign key, after others of its group succeeded.
            task.user = UserId::new();
        }
        writes.spawn(async move { store.submit(new(task, None)).await.is_ok() });
    }
    let accepted = writes.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(accepted, 48);
    let before = world.store.events_after(tenant.company, None, 0, 1000).await.unwrap();
    assert_eq!(before.len(), 1 + 48, "one of the deployment, one of each accepted task");
    world.told(&tenant, tenant.version.deployment.0).await;
    let rest = world.store.events_after(tenant.company, None, 40, 5).await.unwrap();
    assert_eq!(rest.iter().map(|event| event.seq).collect::<Vec<_>>(), [41, 42, 43, 44, 45]);
    let mut progress = ending(Outcome::HandBack);
    progress.progress = Some(Progress { step: 1.0, total: None, message: None });
    let lease = world.start(&tenant).await;
    world.store.finish(lease, progress).await.unwrap();
    let last = world.store.events_after(tenant.company, Some(lease.task.0), 0, 10).await.unwrap();
    assert_eq!(last[1].payload["worker"].as_str().map(str::len), Some(36));
    assert_eq!(last[2].payload["status"], json!("queued"));
}
