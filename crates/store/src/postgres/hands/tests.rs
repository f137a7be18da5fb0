use std::sync::mpsc;
use std::time::Duration;

use domain::clock::System;
use test_support::postgres::Postgres;
use tokio::task::JoinSet;

use super::*;
use crate::postgres::connect_options;
use crate::sql::rows::{bind, only};

const SCHEMA: &str = "CREATE TABLE a (n bigint PRIMARY KEY);
    CREATE TABLE b (n bigint REFERENCES a (n) DEFERRABLE INITIALLY DEFERRED)";

/// What one write does.
type Work = fn(&Db<'_>) -> Result<(), Failure>;

/// One hand, which works on what is queued while it is kept busy as a group.
struct One {
    hands: Arc<Hands>,
    _server: Postgres,
}

impl One {
    fn new() -> Self {
        let server = Postgres::start().unwrap();
        server.psql(SCHEMA).unwrap();
        let route = Arc::new(Route {
            to: connect_options(&server.url()).unwrap(),
            patience: Duration::ZERO,
            age: Duration::from_mins(30),
            clock: None,
        });
        let plan = Plan { route, kept: 1, most: 1, waiting: 100 };
        Self { hands: Arc::new(Hands::new(plan, Arc::new(System))), _server: server }
    }

    /// What became of these writes in one transaction.
    async fn together(&self, writes: Vec<Work>) -> Vec<Result<(), Error>> {
        let (busy, is_busy) = mpsc::channel();
        let (go_on, goes_on) = mpsc::channel::<()>();
        let mut all = JoinSet::new();
        let hands = Arc::clone(&self.hands);
        all.spawn(async move {
            let wait = move |_: &Db<'_>| {
                let _ = busy.send(());
                let _ = goes_on.recv();
                Ok(())
            };
            (0, hands.write("keep the hand busy", Of::Platform, wait).await)
        });
        while is_busy.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let company = CompanyId::new();
        let count = writes.len();
        for (at, write) in (1..).zip(writes) {
            let hands = Arc::clone(&self.hands);
            all.spawn(async move { (at, hands.write("write", Of::Tasks(company), write).await) });
        }
        // Each has put its write into the inbox before it waits.
        while self.waiting() < count {
            tokio::task::yield_now().await;
        }
        go_on.send(()).unwrap();
        let mut answers = all.join_all().await;
        answers.sort_by_key(|(at, _)| *at);
        let mut answers = answers.into_iter().map(|(_, answer)| answer);
        answers.next().unwrap().unwrap();
        answers.collect()
    }

    fn waiting(&self) -> usize {
        let inbox = self.hands.inbox();
        inbox.as_ref().map_or(0, |inbox| inbox.max_capacity() - inbox.capacity())
    }

    async fn stored(&self) -> Vec<i64> {
        let all = |db: &Db<'_>| db.all("SELECT n FROM a ORDER BY n", bind![], only);
        self.hands.look_up("read", all).await.unwrap()
    }
}

fn insert(db: &Db<'_>, n: i64) -> Result<(), Failure> {
    db.execute("INSERT INTO a VALUES (?)", bind![n]).map(drop)
}

fn transaction(db: &Db<'_>) -> Result<(), Failure> {
    let id = "SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)";
    let id = db.one(id, bind![], only::<i64>)?;
    insert(db, id.unwrap_or_default())
}

#[tokio::test]
async fn writes_of_tasks_that_wait_share_a_transaction() {
    let one = One::new();
    let answers = one.together(vec![transaction, transaction]).await;
    answers[0].as_ref().unwrap();
    let message = answers[1].as_ref().unwrap_err().to_string();
    assert!(message.contains("a_pkey"), "the second found the first's number: {message}");
}

#[tokio::test]
async fn a_write_that_fails_or_panics_takes_nobody_with_it() {
    let one = One::new();
    let twice = |db: &Db<'_>| {
        insert(db, 2)?;
        insert(db, 2)
    };
    let panics = |_: &Db<'_>| panic!("a panic that the test asked for");
    let writes: Vec<fn(&Db<'_>) -> _> = vec![|db| insert(db, 1), twice, panics, |db| insert(db, 3)];
    let answers = one.together(writes).await;
    answers[0].as_ref().unwrap();
    assert!(answers[1].as_ref().unwrap_err().to_string().contains("duplicate key"));
    assert!(answers[2].as_ref().unwrap_err().to_string().contains("panic"));
    answers[3].as_ref().unwrap();
    assert_eq!(one.stored().await, [1, 3]);
}

#[tokio::test]
async fn when_the_commit_fails_everybody_is_told_and_the_next_group_works() {
    let one = One::new();
    let late = |db: &Db<'_>| db.execute("INSERT INTO b VALUES (?)", bind![99_i64]).map(drop);
    let answers = one.together(vec![|db| insert(db, 1), late]).await;
    for answer in answers {
        let message = answer.unwrap_err().to_string();
        assert!(message.contains("foreign key"), "{message}");
    }
    assert_eq!(one.stored().await, [0; 0]);
    one.together(vec![|db| insert(db, 2)]).await.remove(0).unwrap();
    assert_eq!(one.stored().await, [2]);
}

#[tokio::test]
async fn a_connection_lost_amid_a_group_undoes_all_of_it_and_says_so() {
    let one = One::new();
    let leave = |db: &Db<'_>| {
        let end = "SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS text)";
        db.one(end, bind![], only::<String>).map(drop)
    };
    let answers = one.together(vec![|db| insert(db, 1), leave, |db| insert(db, 3)]).await;
    for answer in answers {
        assert!(matches!(answer, Err(Error::Backend { .. })), "{answer:?}");
    }
    assert_eq!(one.stored().await, [0; 0]);
    one.together(vec![|db| insert(db, 2)]).await.remove(0).unwrap();
    assert_eq!(one.stored().await, [2]);
}

#[test]
fn companies_take_their_turns_in_one_order_and_once() {
    let (a, b) = (CompanyId::new(), CompanyId::new());
    let message = |of| Message::Write(of, Job::new("write", |_: &Db<'_>| Ok(())).0);
    let one = begin(&[message(Of::Tasks(a)), message(Of::Tasks(b)), message(Of::Tasks(a))]);
    let other = begin(&[message(Of::Companies(vec![b, a]))]);
    assert_eq!(one, other);
    assert_eq!(one.unwrap().matches("pg_advisory_xact_lock").count(), 2);
    assert_eq!(begin(&[message(Of::Platform)]).as_deref(), Some("BEGIN"));
}
