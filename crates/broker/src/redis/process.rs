//! What one process does beside its calls: it keeps the connection, tells the
//! others, and makes up for what it could not do.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::redis::Value;
use domain::Clock;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::link::{Here, Link, Script, State};
use super::told::{Local, Outbox, Process};
use super::{Settings, Time};
use crate::Error;
use crate::waiting::lock;

/// How often the server is asked whether it still knows the order.
const PULSE: Duration = Duration::from_millis(500);
/// How long it may take to say so.
const PULSE_ANSWER: Duration = Duration::from_secs(1);
/// Between two attempts to connect, at first and at most.
const RETRY: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(500)];
/// What is made up for at most; what is more has the order rebuilt.
const ERRANDS: usize = 10_000;

/// One process's part.
pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) me: Process,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) link: Link,
    pub(super) local: Arc<Local>,
    pub(super) outbox: Outbox,
    /// Whether the server has lost the order, as far as is known.
    pub(super) forgotten: watch::Sender<bool>,
    pub(super) closed: CancellationToken,
    errands: Mutex<VecDeque<Errand>>,
    /// Places in the queue that were promised and are free again.
    given_back: Mutex<Vec<Vec<u8>>>,
    called: Notify,
}

/// An operation that is to happen though its caller may have given up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Errand {
    pub(super) operation: &'static str,
    pub(super) args: Vec<Vec<u8>>,
}

/// What an operation answered.
pub(super) struct Answer {
    pub(super) value: Value,
}

impl Inner {
    pub(super) fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        me: Process,
        link: Link,
        local: Arc<Local>,
    ) -> Self {
        Self {
            settings,
            me,
            clock,
            link,
            local,
            outbox: Outbox::default(),
            forgotten: watch::Sender::new(false),
            closed: CancellationToken::new(),
            errands: Mutex::default(),
            given_back: Mutex::default(),
            called: Notify::new(),
        }
    }

    /// Runs an operation of operations.lua.
    pub(super) async fn call(&self, operation: &str, args: &[&[u8]]) -> Result<Answer, Error> {
        let frame = self.frame(operation);
        let all: Vec<&[u8]> = frame.iter().map(Vec::as_slice).chain(args.iter().copied()).collect();
        let value = self.link.run(Script::Order, &all).await?;
        self.read(value)
    }

    /// The same; where it is not known to have happened, it will once the
    /// server is back, before any other call.
    pub(super) async fn surely(
        &self,
        operation: &'static str,
        args: &[&[u8]],
    ) -> Result<Answer, Error> {
        self.or_else(operation, args, Errand::new(operation, args)).await
    }

    /// Runs an operation, and `otherwise` where its answer does not come, be
    /// it that its caller leaves.
    pub(super) async fn or_else(
        &self,
        operation: &str,
        args: &[&[u8]],
        otherwise: Errand,
    ) -> Result<Answer, Error> {
        let mut pending = Pending { inner: self, errand: Some(otherwise) };
        let result = self.call(operation, args).await;
        if !matches!(result, Err(Error::Away { .. })) {
            pending.errand = None;
        }
        result
    }

    /// Has something done soon.
    pub(super) fn leave(&self, errand: Errand) {
        let mut errands = lock(&self.errands);
        errands.push_back(errand);
        if errands.len() > ERRANDS {
            errands.clear();
            errands.push_back(Errand::new("forget", &[]));
        }
        drop(errands);
        self.called.notify_one();
    }

    /// Frees a place that was promised.
    pub(super) fn give_back(&self, place: Vec<u8>) {
        lock(&self.given_back).push(place);
        self.called.notify_one();
    }

    /// The places that were freed and that the server does not know of yet.
    pub(super) fn given_back(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut lock(&self.given_back))
    }

    /// Connects again whenever the connection breaks, until the broker is
    /// dropped.
    pub(super) async fn keep(self: Arc<Self>, first: Here) {
        let closed = self.closed.clone();
        let keep = async {
            let mut here = first;
            loop {
                self.watch_over(&here).await;
                let why = self.link.server.away("the connection broke".to_owned());
                tracing::warn!("{why}");
                self.link.state.send_replace(State::Away(why));
                drop(here);
                here = self.connect_again().await;
                self.link.state.send_replace(State::Here(here.clone()));
                // Heard from now on; what was told before is lost to us.
                self.local.look_again();
                tracing::info!("Redis answers again");
            }
        };
        closed.run_until_cancelled(keep).await;
    }

    /// Does what was left to do and tells the others, as it comes.
    pub(super) async fn tell(self: Arc<Self>) {
        let closed = self.closed.clone();
        let tell = async {
            loop {
                let mut here = self.link.here().await;
                if !self.run_errands(&here).await || !self.send(&mut here).await {
                    // Until the keeper has noticed, too.
                    let _ = timeout(PULSE, here.broken()).await;
                    continue;
                }
                tokio::select! {
                    () = self.outbox.filled() => {}
                    () = self.called.notified() => {}
                }
            }
        };
        closed.run_until_cancelled(tell).await;
    }

    /// Returns when the connection no longer holds.
    async fn watch_over(&self, here: &Here) {
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = here.broken() => return,
                _ = pulse.tick() => {}
            }
            match timeout(PULSE_ANSWER, self.run_on(here, "look", &[])).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!("{error}");
                    return;
                }
                Err(_) => return,
            }
        }
    }

    async fn connect_again(&self) -> Here {
        let [mut pause, longest] = RETRY;
        loop {
            let tried = Instant::now();
            match self.link.connect(&self.local).await {
                Ok(here) => {
                    if self.run_errands(&here).await {
                        return here;
                    }
                }
                Err(error) => {
                    self.link.state.send_if_modified(|state| match state {
                        State::Away(known) if *known != error => {
                            tracing::warn!("{error}");
                            *known = error;
                            true
                        }
                        _ => false,
                    });
                }
            }
            tokio::time::sleep_until(tried + pause).await;
            pause = (2 * pause).min(longest);
        }
    }

    /// Whether nothing is left to do.
    async fn run_errands(&self, here: &Here) -> bool {
        // Those that are not told end by themselves.
        let given_back = self.given_back();
        if !given_back.is_empty() {
            let places: Vec<&[u8]> = given_back.iter().map(Vec::as_slice).collect();
            if self.run_on(here, "give_back", &places).await.is_err() {
                return false;
            }
        }
        loop {
            let Some(errand) = lock(&self.errands).front().cloned() else { return true };
            let args: Vec<&[u8]> = errand.args.iter().map(Vec::as_slice).collect();
            match self.run_on(here, errand.operation, &args).await {
                Err(Error::Away { .. }) => return false,
                Err(error) => tracing::error!("what was to be made up for can't be: {error}"),
                Ok(_) => {}
            }
            let mut errands = lock(&self.errands);
            if errands.front() == Some(&errand) {
                errands.pop_front();
            }
        }
    }

    async fn send(&self, here: &mut Here) -> bool {
        while let Some(message) = self.outbox.message(self.me) {
            if let Err(error) = self.link.publish(here, &message).await {
                tracing::warn!("other processes are not told: {error}");
                self.outbox.lose();
                return false;
            }
        }
        true
    }

    async fn run_on(&self, here: &Here, operation: &str, args: &[&[u8]]) -> Result<Answer, Error> {
        let frame = self.frame(operation);
        let all: Vec<&[u8]> = frame.iter().map(Vec::as_slice).chain(args.iter().copied()).collect();
        let value = here.clone().run(Script::Order, &all).await;
        self.read(value.map_err(|error| self.link.server.error(&error))?)
    }

    /// What every operation is told: where the keys are, which one it is, the
    /// caller's instant, whose clock counts, and who calls.
    fn frame(&self, operation: &str) -> [Vec<u8>; 5] {
        [
            self.settings.key(""),
            operation.into(),
            self.clock.now().0.to_string().into(),
            self.settings.time.word().into(),
            self.me.into(),
        ]
    }

    fn read(&self, value: Value) -> Result<Answer, Error> {
        let parts = match value {
            Value::Array(parts) => <[Value; 3]>::try_from(parts).ok(),
            _ => None,
        };
        let Some([Value::Int(forgotten), Value::Int(woken), value]) = parts else {
            return Err(self.unreadable());
        };
        self.forgotten.send_if_modified(|known| std::mem::replace(known, forgotten == 1) != *known);
        if woken == 1 {
            self.local.wake();
        }
        Ok(Answer { value })
    }

    /// An answer that no script of this release gives.
    pub(super) fn unreadable(&self) -> Error {
        self.link.server.unusable("its answer is not one that we know".to_owned())
    }
}

impl Errand {
    pub(super) fn new(operation: &'static str, args: &[&[u8]]) -> Self {
        Self { operation, args: args.iter().map(|arg| arg.to_vec()).collect() }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("settings", &self.settings)
            .field("server", &self.link.server)
            .finish_non_exhaustive()
    }
}

/// Leaves its errand when it is dropped, where there is one still.
struct Pending<'a> {
    inner: &'a Inner,
    errand: Option<Errand>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(errand) = self.errand.take() {
            self.inner.leave(errand);
        }
    }
}

impl Time {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Given => "given",
        }
    }
}
