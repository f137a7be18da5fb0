//! The broker of many processes, on Redis.
//!
//! The order lives in Redis and changes by scripts alone (`order.lua`, the
//! same rules as [`crate::order`]), each of which is one round trip. Who waits
//! and watches is known in each process; processes tell each other by one
//! channel (`told`).
//!
//! Redis holds no truth. Where its content is gone the operations go on with
//! what comes, one process is told to rebuild it from the database
//! ([`Broker::forgotten`]), and what runs or waits is known again when that is
//! done. While it is away, calls fail within a second; what a task's row says
//! already (it waits, it ended) is made up for when it is back.

mod codec;
mod entry;
mod link;
mod process;
mod rebuild;
mod server;
mod told;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Value, cmd};
use async_trait::async_trait;
use bytes::Bytes;
use domain::task::{QueueClass, State};
use domain::{Clock, CompanyId, Digest, TaskId, Timestamp, WorkerId};
use tokio_util::sync::DropGuard;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use rebuild::Rebuild;
pub use server::rule;

use crate::cache::LARGEST;
use crate::{
    Admission, Broker, ClassDepth, CompanyDepth, Decision, Depths, Error, InLine, Line, LiveEvent,
    Queued, Rate, Subscription, Topic, Waiter, Want, Work,
};
use codec::{pack, task_of_key, unpack};
use link::{Link, Script};
use process::{Errand, Inner};
use server::Server;
use told::Local;

/// What the broker is built from.
#[derive(Clone)]
pub struct Settings {
    /// `redis://user:password@host:port/db`; with TLS `rediss://`.
    pub url: String,
    /// The certificate of the authority that vouches for the server, in PEM,
    /// where it is none of the machine's.
    pub ca_pem: Option<Vec<u8>>,
    /// What all keys begin with, in braces: a cluster keeps them together.
    pub prefix: String,
    /// How many tasks may wait at once, over all companies.
    pub queued_tasks: u64,
    /// Whose clock the order goes by.
    pub time: Time,
}

/// Whose clock the order goes by.
///
/// The broker's own clock only measures what callers mean: that a task is
/// available in two seconds, say. It must be the one that they stamp tasks by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The server's, so that a process whose clock is wrong harms nobody.
    Server,
    /// The caller's, which is the same for all, for tests.
    Given,
}

impl Settings {
    /// The name of a key.
    fn key(&self, name: &str) -> Vec<u8> {
        format!("{{{}}}:{name}", self.prefix).into()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds the password.
        f.debug_struct("Settings")
            .field("prefix", &self.prefix)
            .field("queued_tasks", &self.queued_tasks)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

/// A broker that all processes share that use the same server and prefix.
#[derive(Debug)]
pub struct Redis {
    inner: Arc<Inner>,
    /// Ends what goes on beside the calls.
    _open: DropGuard,
}

impl Redis {
    /// Connects. [`Error::Settings`], [`Error::Away`], [`Error::Denied`],
    /// [`Error::Rights`] say what the operator has to mend.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let server = Server::new(&settings.url, settings.ca_pem.as_deref(), &settings.prefix)?;
        let me = *Uuid::new_v4().as_bytes();
        let local = Arc::new(Local::new(me));
        let link = Link::new(server, settings.key("told"));
        let here = link.connect(&local).await?;
        link.state.send_replace(link::State::Here(here.clone()));
        let inner = Arc::new(Inner::new(settings, clock, me, link, local));
        let open = inner.closed.clone().drop_guard();
        // Shows at once whether we may do what we must, and whether the order
        // is there.
        inner.call("look", &[]).await?;
        let jobs = TaskTracker::new();
        jobs.spawn(Arc::clone(&inner).keep(here));
        jobs.spawn(Arc::clone(&inner).tell());
        Ok(Self { inner, _open: open })
    }

    fn unreadable(&self) -> Error {
        self.inner.unreadable()
    }

    fn task(&self, value: &Value) -> Result<Queued, Error> {
        bytes(value).and_then(unpack).ok_or_else(|| self.unreadable())
    }

    fn time(&self, value: &Value) -> Result<Option<Timestamp>, Error> {
        match value {
            Value::Nil => Ok(None),
            Value::Int(us) => Ok(Some(Timestamp(*us))),
            _ => Err(self.unreadable()),
        }
    }

    fn count(&self, value: &Value) -> Result<u64, Error> {
        match value {
            Value::Int(count) => u64::try_from(*count).map_err(|_| self.unreadable()),
            _ => Err(self.unreadable()),
        }
    }

    fn is(&self, value: &Value) -> Result<bool, Error> {
        Ok(self.count(value)? == 1)
    }

    fn list<'a>(&self, value: &'a Value) -> Result<&'a [Value], Error> {
        match value {
            Value::Array(values) => Ok(values),
            _ => Err(self.unreadable()),
        }
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// The worker that wants a task; the id of none where it doesn't say.
fn worker(want: &Want) -> &[u8] {
    want.worker.as_ref().map_or(&[0; 16], |worker| worker.0.as_bytes())
}

const fn digit(yes: bool) -> &'static [u8] {
    if yes { b"1" } else { b"0" }
}

#[async_trait]
impl Broker for Redis {
    async fn admit(&self, company: CompanyId, most: Option<u64>) -> Result<Admission, Error> {
        let place = [*company.0.as_bytes(), *Uuid::new_v4().as_bytes()].concat();
        // Made before the call: whoever leaves during it leaves no place taken.
        let (inner, given_back) = (Arc::clone(&self.inner), place.clone());
        let admission = Admission::new(move || inner.give_back(given_back));
        let limit = self.inner.settings.queued_tasks;
        let most_text = most.map_or_else(|| "-1".to_owned(), |most| most.to_string());
        let limit_text = limit.to_string();
        let given_back = self.inner.given_back();
        let mut args = vec![&place[..], most_text.as_bytes(), limit_text.as_bytes()];
        args.extend(given_back.iter().map(Vec::as_slice));
        let answer = self.inner.call("admit", &args).await?.value;
        let refused = match self.list(&answer)? {
            [Value::BulkString(word)] if word == b"held" => return Ok(admission),
            [Value::BulkString(word), queued] => (word.as_slice(), self.count(queued)?),
            _ => return Err(self.unreadable()),
        };
        match (refused, most) {
            ((b"full", queued), _) => Err(Error::Full { queued, limit }),
            ((b"company full", queued), Some(limit)) => Err(Error::CompanyFull { queued, limit }),
            _ => Err(self.unreadable()),
        }
    }

    async fn enqueue(&self, task: Queued) -> Result<(), Error> {
        self.inner.surely("enqueue", &[&pack(&task)]).await.map(drop)
    }

    async fn take_directly(&self, task: Queued, want: Want) -> Result<bool, Error> {
        let undo = Errand::new("remove", &[task.task.0.as_bytes()]);
        let args = [&pack(&task)[..], digit(want.last), worker(&want)];
        let answer = self.inner.or_else("take_directly", &args, undo).await?;
        self.is(&answer.value)
    }

    async fn take(&self, want: Want) -> Result<Option<Queued>, Error> {
        let name = Uuid::new_v4();
        let undo = Errand::new("untake", &[name.as_bytes()]);
        let args = [&name.as_bytes()[..], digit(want.last), worker(&want)];
        match self.inner.or_else("take", &args, undo).await?.value {
            Value::Nil => Ok(None),
            task => self.task(&task).map(Some),
        }
    }

    async fn present(&self, worker: WorkerId, slots: u32, free: u32) -> Result<(), Error> {
        self.inner.local.present(worker);
        let (slots, free) = (slots.to_string(), free.to_string());
        let args = [&worker.0.as_bytes()[..], slots.as_bytes(), free.as_bytes()];
        self.inner.call("present", &args).await.map(drop)
    }

    async fn absent(&self, worker: WorkerId) -> Result<(), Error> {
        self.inner.local.absent(worker);
        self.inner.call("absent", &[worker.0.as_bytes()]).await.map(drop)
    }

    async fn vacate(&self, task: TaskId) -> Result<(), Error> {
        self.inner.surely("vacate", &[task.0.as_bytes()]).await.map(drop)
    }

    async fn settle(&self, task: TaskId, actual_ms: f64) -> Result<(), Error> {
        let actual_ms = actual_ms.to_string();
        let args = [&task.0.as_bytes()[..], actual_ms.as_bytes()];
        self.inner.surely("settle", &args).await.map(drop)
    }

    async fn hand_back(&self, task: TaskId) -> Result<bool, Error> {
        let answer = self.inner.surely("hand_back", &[task.0.as_bytes()]).await?;
        self.is(&answer.value)
    }

    async fn remove(&self, task: TaskId) -> Result<bool, Error> {
        let answer = self.inner.surely("remove", &[task.0.as_bytes()]).await?;
        self.is(&answer.value)
    }

    async fn position(&self, company: CompanyId, task: TaskId) -> Result<Option<u64>, Error> {
        let args = [&company.0.as_bytes()[..], task.0.as_bytes()];
        match self.inner.call("position", &args).await?.value {
            Value::Nil => Ok(None),
            ahead => self.count(&ahead).map(Some),
        }
    }

    async fn depths(&self) -> Result<Depths, Error> {
        let answer = self.inner.call("depths", &[]).await?.value;
        let (classes, companies) =
            self.list(&answer)?.split_first_chunk::<3>().ok_or_else(|| self.unreadable())?;
        let mut depths = Depths::default();
        for (class, depth) in QueueClass::ALL.iter().zip(classes) {
            let [waiting, running, oldest] = self.list(depth)? else {
                return Err(self.unreadable());
            };
            depths.classes.push(ClassDepth {
                class: *class,
                waiting: self.count(waiting)?,
                running: self.count(running)?,
                oldest_submitted_at: self.time(oldest)?,
            });
        }
        for depth in companies {
            let [id, waiting, running] = self.list(depth)? else { return Err(self.unreadable()) };
            let id = bytes(id).and_then(|mut id| codec::uuid(&mut id));
            depths.companies.push(CompanyDepth {
                company: CompanyId(id.ok_or_else(|| self.unreadable())?),
                waiting: self.count(waiting)?,
                running: self.count(running)?,
            });
        }
        depths.companies.sort_by_key(|depth| depth.company);
        Ok(depths)
    }

    async fn line(&self, company: CompanyId, first: usize) -> Result<Line, Error> {
        let most = first.to_string();
        let args = [&company.0.as_bytes()[..], most.as_bytes()];
        let answer = self.inner.call("line", &args).await?.value;
        let [waiting, running, classes] = self.list(&answer)? else {
            return Err(self.unreadable());
        };
        let mut next = Vec::new();
        for keys in self.list(classes)? {
            let mut keys: Vec<_> = self.list(keys)?.iter().filter_map(bytes).collect();
            keys.sort_unstable();
            for (ahead, key) in (0..).zip(keys.into_iter().take(first)) {
                let task = task_of_key(key).ok_or_else(|| self.unreadable())?;
                next.push(InLine { task, ahead });
            }
        }
        Ok(Line { waiting: self.count(waiting)?, running: self.count(running)?, next })
    }

    async fn next_available_at(&self) -> Result<Option<Timestamp>, Error> {
        let answer = self.inner.call("next_available_at", &[]).await?;
        self.time(&answer.value)
    }

    async fn forgotten(&self) -> Rebuild {
        Rebuild::lead(&self.inner).await
    }

    async fn note_running(&self, task: Queued) -> Result<(), Error> {
        self.inner.call("note_running", &[&pack(&task)]).await.map(drop)
    }

    async fn longest_running(&self, age: Duration, most: usize) -> Result<Vec<Queued>, Error> {
        let (age, most) = (age.as_micros().to_string(), most.to_string());
        let answer = self.inner.call("longest_running", &[age.as_bytes(), most.as_bytes()]).await?;
        self.list(&answer.value)?.iter().map(|task| self.task(task)).collect()
    }

    async fn allow(&self, key: &str, rate: Rate, cost: u32) -> Result<Decision, Error> {
        let (each, window) = rate.in_us();
        let key = self.inner.settings.key(&format!("rate:{key}"));
        let texts = [each.to_string(), window.to_string(), cost.to_string()];
        let [each, window, cost] = texts.each_ref().map(String::as_bytes);
        let now = self.inner.clock.now().0.to_string();
        let time = self.inner.settings.time.word().as_bytes();
        let args = [&key[..], now.as_bytes(), time, each, window, cost];
        match self.list(&self.inner.link.run(Script::Allow, &args).await?)? {
            [Value::Int(allowed), Value::Int(ahead), Value::Int(wait)] => {
                Ok(rate.decision(*allowed == 1, *ahead, *wait))
            }
            _ => Err(self.unreadable()),
        }
    }

    async fn cache_get(&self, company: CompanyId, key: Digest) -> Result<Option<Bytes>, Error> {
        let mut command = cmd("GET");
        command.arg(self.inner.settings.cache_key(company, key));
        let value: Option<Vec<u8>> = self.inner.link.command(&command).await?;
        Ok(value.map(Bytes::from))
    }

    async fn cache_put(
        &self,
        company: CompanyId,
        key: Digest,
        value: Bytes,
        ttl: Duration,
    ) -> Result<(), Error> {
        if value.len() > LARGEST {
            return Ok(());
        }
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = cmd("SET");
        command.arg(self.inner.settings.cache_key(company, key)).arg(&value[..]);
        command.arg("PX").arg(ttl_ms);
        self.inner.link.command(&command).await
    }

    fn work(&self) -> Work {
        self.inner.local.work()
    }

    fn changed(&self, topic: Topic) {
        self.inner.local.changed(topic);
        self.inner.outbox.changed(topic);
    }

    fn publish(&self, topic: Topic, event: LiveEvent) {
        self.inner.outbox.published(topic, &event);
        self.inner.local.publish(topic, event);
    }

    fn subscribe(&self, topic: Topic) -> Subscription {
        self.inner.local.subscribe(topic)
    }

    fn subscribe_company(&self, company: CompanyId) -> Subscription {
        self.inner.local.subscribe_company(company)
    }

    fn ended(&self, task: TaskId, state: State) {
        self.inner.local.ended(task, state);
        self.inner.outbox.ended(task, state);
    }

    fn wait_ended(&self, task: TaskId) -> Waiter<State> {
        self.inner.local.wait_ended(task)
    }
}

impl Settings {
    fn cache_key(&self, company: CompanyId, key: Digest) -> Vec<u8> {
        self.key(&format!("result:{company}:{}", key.hex()))
    }
}
