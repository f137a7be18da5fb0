//! What every implementation of the port must do.

use std::sync::Arc;
use std::time::Duration;

use broker::cache::LARGEST;
use broker::live::BUFFER;
use broker::{Audience, Decision, Error, InLine, LiveEvent, Queued, Rate, Received, Topic, Want};
use bytes::Bytes;
use domain::task::State;
use domain::{Digest, Timestamp};
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::world::{Backend, World};
use crate::{company_id, queued, task_id};

/// How long something may take that must happen at once.
const SOON: Duration = Duration::from_secs(20);

on_every_broker! {
    a_task_is_given_once_and_forgotten_once_settled,
    announcing_a_task_again_changes_nothing,
    a_retry_is_settled_then_enqueued_with_a_delay,
    the_queue_has_a_bound_and_keeps_what_was_admitted,
    a_company_has_a_bound_of_its_own_places_that_are_promised_included,
    work_that_came_before_the_wait_ends_it,
    every_worker_is_woken_for_room_and_for_work,
    an_end_between_registering_and_waiting_is_not_missed,
    the_end_of_a_task_reaches_all_who_wait,
    a_wait_goes_on_after_a_timeout,
    watchers_get_the_events_of_their_topic_in_order,
    a_company_is_watched_whole_and_alone,
    many_changes_are_told_as_one_and_after_what_came_before,
    a_company_sees_its_own_line,
    a_slow_reader_is_told_that_it_missed_events,
    what_runs_longest_is_named_first,
    a_task_that_is_noted_as_running_counts_and_is_settled,
    a_windows_requests_may_come_at_once_and_then_evenly,
    each_key_has_a_rate_of_its_own_and_costs_count,
    a_value_is_kept_for_its_company_alone,
}

fn event(kind: &'static str, number: i64) -> LiveEvent {
    LiveEvent { kind: kind.into(), data: json!({ "n": number }), audience: Audience::Company }
}

fn topic(company: u32, resource: u128) -> Topic {
    Topic { company: company_id(company), resource: Uuid::from_u128(resource) }
}

mod laws {
    use super::*;

    pub(super) async fn a_task_is_given_once_and_forgotten_once_settled(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        broker.enqueue(queued(1, 1)).await.unwrap();
        assert_eq!(broker.position(company_id(1), task_id(1)).await.unwrap(), Some(0));
        assert_eq!(broker.take(Want::ANY).await.unwrap(), Some(queued(1, 1)));
        assert_eq!(broker.take(Want::ANY).await.unwrap(), None);
        assert_eq!(broker.depths().await.unwrap().classes[0].running, 1);
        broker.settle(task_id(1), 5.0).await.unwrap();
        assert_eq!(broker.depths().await.unwrap().companies, []);
        assert!(!broker.hand_back(task_id(1)).await.unwrap());
        assert!(!broker.remove(task_id(1)).await.unwrap());
    }

    pub(super) async fn announcing_a_task_again_changes_nothing(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        for _ in 0..2 {
            broker.enqueue(queued(1, 1)).await.unwrap();
        }
        assert!(broker.take(Want::ANY).await.unwrap().is_some());
        broker.enqueue(queued(1, 1)).await.unwrap();
        assert_eq!(broker.take(Want::ANY).await.unwrap(), None, "it runs already");
    }

    pub(super) async fn a_retry_is_settled_then_enqueued_with_a_delay(on: Backend) {
        let World { broker, clock } = on.start(10).await;
        broker.enqueue(queued(1, 1)).await.unwrap();
        broker.take(Want::ANY).await.unwrap().unwrap();
        broker.settle(task_id(1), 5.0).await.unwrap();
        let retry = Queued { available_at: Timestamp(3_000_000), ..queued(1, 1) };
        broker.enqueue(retry).await.unwrap();
        assert_eq!(broker.take(Want::ANY).await.unwrap(), None);
        assert_eq!(broker.next_available_at().await.unwrap(), Some(Timestamp(3_000_000)));
        clock.advance(Duration::from_secs(2));
        assert_eq!(broker.take(Want::ANY).await.unwrap(), Some(retry));
    }

    pub(super) async fn the_queue_has_a_bound_and_keeps_what_was_admitted(on: Backend) {
        let World { broker, .. } = on.start(2).await;
        let admit = || broker.admit(company_id(1), None);
        let first = admit().await.unwrap();
        let second = admit().await.unwrap();
        assert_eq!(admit().await.unwrap_err(), Error::Full { queued: 2, limit: 2 });
        drop(second);
        broker.enqueue(queued(1, 1)).await.unwrap();
        drop(first);
        let third = admit().await.unwrap();
        broker.enqueue(queued(1, 2)).await.unwrap();
        drop(third);
        assert_eq!(admit().await.unwrap_err(), Error::Full { queued: 2, limit: 2 });
        // What the database holds is put in order whatever the bound.
        broker.enqueue(queued(1, 3)).await.unwrap();
        broker.take(Want::ANY).await.unwrap().unwrap();
        assert!(admit().await.is_err());
        broker.take(Want::ANY).await.unwrap().unwrap();
        assert!(admit().await.is_ok());
    }

    pub(super) async fn a_company_has_a_bound_of_its_own_places_that_are_promised_included(
        on: Backend,
    ) {
        let World { broker, .. } = on.start(100).await;
        let first = broker.admit(company_id(1), Some(2)).await.unwrap();
        let second = broker.admit(company_id(1), Some(2)).await.unwrap();
        let full = Error::CompanyFull { queued: 2, limit: 2 };
        assert_eq!(broker.admit(company_id(1), Some(2)).await.unwrap_err(), full);
        let _other = broker.admit(company_id(2), Some(2)).await.unwrap();
        drop(second);
        broker.enqueue(queued(1, 1)).await.unwrap();
        assert_eq!(broker.admit(company_id(1), Some(2)).await.unwrap_err(), full);
        drop(first);
        assert!(broker.admit(company_id(1), Some(2)).await.is_ok());
        broker.take(Want::ANY).await.unwrap().unwrap();
        assert!(broker.admit(company_id(1), Some(1)).await.is_ok());
        assert!(broker.admit(company_id(1), Some(0)).await.is_err());
    }

    pub(super) async fn work_that_came_before_the_wait_ends_it(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let mut work = broker.work();
        assert_eq!(broker.take(Want::ANY).await.unwrap(), None);
        broker.enqueue(queued(1, 1)).await.unwrap();
        assert!(timeout(SOON, work.changed()).await.unwrap());
        broker.take(Want::ANY).await.unwrap().unwrap();
        assert!(timeout(Duration::ZERO, work.changed()).await.is_err(), "nothing is new");
    }

    pub(super) async fn every_worker_is_woken_for_room_and_for_work(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        broker.enqueue(Queued { max_running: Some(1), ..queued(1, 1) }).await.unwrap();
        broker.enqueue(Queued { max_running: Some(1), ..queued(1, 2) }).await.unwrap();
        broker.take(Want::ANY).await.unwrap().unwrap();
        assert_eq!(broker.take(Want::ANY).await.unwrap(), None, "the company has no room");
        let (mut one, mut two) = (broker.work(), broker.work());
        let settle = broker.settle(task_id(1), 5.0);
        let (one, two, settled) = tokio::join!(one.changed(), two.changed(), settle);
        assert!(one && two);
        settled.unwrap();
        assert_eq!(broker.take(Want::ANY).await.unwrap().unwrap().task, task_id(2));
    }

    pub(super) async fn an_end_between_registering_and_waiting_is_not_missed(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let mut end = broker.wait_ended(task_id(1));
        assert!(end.told_already().is_none());
        broker.ended(task_id(2), State::Failed);
        broker.ended(task_id(1), State::Completed);
        let ended = timeout(SOON, end.told()).await.unwrap().unwrap();
        assert_eq!(ended, State::Completed);
    }

    pub(super) async fn the_end_of_a_task_reaches_all_who_wait(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let mut waiting: Vec<_> = (0..3).map(|_| broker.wait_ended(task_id(1))).collect();
        broker.ended(task_id(1), State::Completed);
        for end in &mut waiting {
            assert_eq!(timeout(SOON, end.told()).await.unwrap(), Some(State::Completed));
        }
    }

    pub(super) async fn a_wait_goes_on_after_a_timeout(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let mut end = broker.wait_ended(task_id(1));
        assert!(timeout(Duration::ZERO, end.told()).await.is_err());
        broker.ended(task_id(1), State::Cancelled);
        assert_eq!(timeout(SOON, end.told()).await.unwrap(), Some(State::Cancelled));
    }

    pub(super) async fn watchers_get_the_events_of_their_topic_in_order(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        broker.publish(topic(1, 1), event("before", 0));
        let mut watchers: Vec<_> = (0..1000).map(|_| broker.subscribe(topic(1, 1))).collect();
        broker.publish(topic(1, 2), event("of another", 1));
        broker.publish(topic(1, 1), event("first", 2));
        broker.publish(topic(1, 1), event("second", 3));
        for watcher in &mut watchers {
            for expected in [event("first", 2), event("second", 3)] {
                let received = timeout(SOON, watcher.next()).await.unwrap().unwrap();
                assert_eq!(received, Received::Event(topic(1, 1), Arc::new(expected)));
            }
        }
    }

    pub(super) async fn a_company_is_watched_whole_and_alone(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let mut watcher = broker.subscribe_company(company_id(1));
        broker.publish(topic(2, 1), event("theirs", 1));
        broker.publish(topic(1, 1), event("ours", 2));
        let narrow = LiveEvent { audience: Audience::Topic, ..event("for its own watchers", 0) };
        broker.publish(topic(1, 1), narrow);
        broker.publish(topic(1, 2), event("ours too", 3));
        for (resource, expected) in [(1, event("ours", 2)), (2, event("ours too", 3))] {
            let received = timeout(SOON, watcher.next()).await.unwrap().unwrap();
            assert_eq!(received, Received::Event(topic(1, resource), Arc::new(expected)));
        }
    }

    pub(super) async fn many_changes_are_told_as_one_and_after_what_came_before(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        broker.changed(topic(1, 1));
        let mut one = broker.subscribe(topic(1, 1));
        let mut all = broker.subscribe_company(company_id(1));
        for number in 0..1000 {
            broker.changed(topic(1, 1));
            broker.changed(topic(2, 1));
            if number == 500 {
                broker.publish(topic(1, 1), event("last words", 1));
            }
        }
        for watcher in [&mut one, &mut all] {
            let words = Received::Event(topic(1, 1), Arc::new(event("last words", 1)));
            assert_eq!(timeout(SOON, watcher.next()).await.unwrap(), Some(words));
            assert_eq!(timeout(SOON, watcher.next()).await.unwrap(), Some(Received::Changed));
            let more = tokio::select! { biased; more = watcher.next() => Some(more), () = async {} => None };
            assert_eq!(more, None, "nothing happened since");
        }
    }

    pub(super) async fn a_company_sees_its_own_line(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let later = Timestamp(2_000_000);
        broker.enqueue(Queued { available_at: later, ..queued(1, 1) }).await.unwrap();
        broker.enqueue(queued(1, 2)).await.unwrap();
        broker.enqueue(queued(1, 3)).await.unwrap();
        broker.enqueue(queued(2, 4)).await.unwrap();
        let line = broker.line(company_id(1), 2).await.unwrap();
        assert_eq!((line.waiting, line.running), (3, 0));
        let mut expected = Vec::new();
        for task in [1, 2] {
            let ahead = broker.position(company_id(1), task_id(task)).await.unwrap().unwrap();
            expected.push(InLine { task: task_id(task), ahead });
        }
        assert_eq!(line.next, expected);
        assert_eq!(broker.line(company_id(3), 2).await.unwrap(), broker::Line::default());
    }

    pub(super) async fn a_slow_reader_is_told_that_it_missed_events(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let mut watcher = broker.subscribe(topic(1, 1));
        let sent = BUFFER as i64 + 5;
        for number in 0..sent {
            broker.publish(topic(1, 1), event("progress", number));
        }
        assert_eq!(watcher.next().await, Some(Received::Lagged(5)));
        let next = Received::Event(topic(1, 1), Arc::new(event("progress", 5)));
        assert_eq!(watcher.next().await, Some(next));
    }

    pub(super) async fn what_runs_longest_is_named_first(on: Backend) {
        let World { broker, clock } = on.start(10).await;
        for number in [1, 2, 3] {
            broker.enqueue(queued(1, number)).await.unwrap();
            broker.take(Want::ANY).await.unwrap().unwrap();
            clock.advance(Duration::from_secs(10));
        }
        broker.settle(task_id(2), 5.0).await.unwrap();
        let longest = async |seconds, most| {
            broker.longest_running(Duration::from_secs(seconds), most).await.unwrap()
        };
        assert_eq!(longest(0, 10).await, [queued(1, 1), queued(1, 3)]);
        assert_eq!(longest(0, 1).await, [queued(1, 1)]);
        assert_eq!(longest(30, 10).await, [queued(1, 1)]);
        assert_eq!(longest(31, 10).await, []);
    }

    pub(super) async fn a_task_that_is_noted_as_running_counts_and_is_settled(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let task = Queued { max_running: Some(1), ..queued(1, 1) };
        broker.note_running(task).await.unwrap();
        broker.note_running(task).await.unwrap();
        broker.enqueue(task).await.unwrap();
        broker.enqueue(Queued { max_running: Some(1), ..queued(1, 2) }).await.unwrap();
        let depths = broker.depths().await.unwrap();
        assert_eq!((depths.companies[0].waiting, depths.companies[0].running), (1, 1));
        assert_eq!(broker.take(Want::ANY).await.unwrap(), None, "the company has no room");
        broker.settle(task_id(1), 5.0).await.unwrap();
        assert_eq!(broker.take(Want::ANY).await.unwrap().unwrap().task, task_id(2));
    }

    pub(super) async fn a_windows_requests_may_come_at_once_and_then_evenly(on: Backend) {
        let World { broker, clock } = on.start(10).await;
        let rate = Rate { requests: 3, window: Duration::from_secs(60) };
        for left in [2, 1, 0] {
            let decision = broker.allow("user", rate, 1).await.unwrap();
            let full_in = Duration::from_secs(20 * (3 - u64::from(left)));
            let retry_after = Duration::ZERO;
            let expected = Decision { allowed: true, retry_after, remaining: left, full_in };
            assert_eq!(decision, expected);
        }
        clock.advance(Duration::from_secs(5));
        let refused = broker.allow("user", rate, 1).await.unwrap();
        let expected = Decision {
            allowed: false,
            retry_after: Duration::from_secs(15),
            remaining: 0,
            full_in: Duration::from_secs(55),
        };
        assert_eq!(refused, expected);
        clock.advance(refused.retry_after);
        assert!(broker.allow("user", rate, 1).await.unwrap().allowed);
        assert!(!broker.allow("user", rate, 1).await.unwrap().allowed);
    }

    pub(super) async fn each_key_has_a_rate_of_its_own_and_costs_count(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let rate = Rate { requests: 10, window: Duration::from_secs(1) };
        let allow = async |key, cost| broker.allow(key, rate, cost).await.unwrap();
        assert_eq!(allow("one", 7).await.remaining, 3);
        let refused = allow("one", 4).await;
        assert_eq!((refused.allowed, refused.remaining), (false, 3));
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        assert!(allow("one", 3).await.allowed);
        assert!(allow("two", 10).await.allowed);
        assert!(!allow("three", 11).await.allowed, "more than there ever is");
    }

    pub(super) async fn a_value_is_kept_for_its_company_alone(on: Backend) {
        let World { broker, .. } = on.start(10).await;
        let (key, ttl) = (Digest([7; 32]), Duration::from_secs(3600));
        let value = Bytes::from_static(b"{\"stress\": 384.0}\0\xff");
        assert_eq!(broker.cache_get(company_id(1), key).await.unwrap(), None);
        broker.cache_put(company_id(1), key, value.clone(), ttl).await.unwrap();
        assert_eq!(broker.cache_get(company_id(1), key).await.unwrap(), Some(value));
        assert_eq!(broker.cache_get(company_id(2), key).await.unwrap(), None);
        assert_eq!(broker.cache_get(company_id(1), Digest([8; 32])).await.unwrap(), None);
        let large = vec![b'1'; LARGEST + 1].into();
        broker.cache_put(company_id(2), key, large, ttl).await.unwrap();
        assert_eq!(broker.cache_get(company_id(2), key).await.unwrap(), None);
    }
}
