//! A broker of its own for each test, on every implementation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use broker::redis::Time;
use broker::{Broker as _, Handle, InProcess, Redis, Settings, redis};
use domain::Timestamp;
use domain::clock::Manual;

/// Runs each law, an async function of a [`Backend`], against every broker.
macro_rules! on_every_broker {
    ($($law:ident),* $(,)?) => {
        mod in_process {
            $(
                #[tokio::test]
                async fn $law() {
                    super::laws::$law(crate::world::Backend::InProcess).await;
                }
            )*
        }

        mod redis {
            $(
                #[tokio::test]
                async fn $law() {
                    super::laws::$law(crate::world::Backend::Redis).await;
                }
            )*
        }
    };
}

/// The server of all tests that don't harm it; it ends with their process.
pub(crate) static SERVER: LazyLock<test_support::redis::Redis> =
    LazyLock::new(|| test_support::redis::Redis::start().unwrap());

/// An implementation.
#[derive(Clone, Copy)]
pub(crate) enum Backend {
    InProcess,
    Redis,
}

/// A broker, and the hands on its clock.
pub(crate) struct World {
    pub(crate) broker: Handle,
    pub(crate) clock: Manual,
}

impl Backend {
    /// A broker for which `queued_tasks` may wait.
    pub(crate) async fn start(self, queued_tasks: u64) -> World {
        let clock = Manual::at(Timestamp(1_000_000));
        let given = Arc::new(clock.clone());
        let broker: Handle = match self {
            Self::InProcess => Arc::new(InProcess::new(Settings { queued_tasks }, given)),
            Self::Redis => {
                let settings = redis::Settings { queued_tasks, ..settings(&SERVER) };
                Arc::new(rebuilt(Redis::open(settings, given).await.unwrap()).await)
            }
        };
        World { broker, clock }
    }
}

/// A broker whose server is empty, as a new one's is, and knows it.
pub(crate) async fn rebuilt(broker: Redis) -> Redis {
    assert!(broker.forgotten().await.finish().await.unwrap());
    broker
}

/// Settings of a broker on its own keys, whose user may do no more than it
/// must, and which goes by the clock it is given.
pub(crate) fn settings(server: &test_support::redis::Redis) -> redis::Settings {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let rule = redis::rule(&prefix);
    let mut command = vec!["ACL", "SETUSER", &prefix, "on", ">s3cret"];
    command.extend(rule.split_whitespace());
    assert_eq!(server.cli(&command).unwrap(), "OK");
    redis::Settings {
        url: server.url().replace("://", &format!("://{prefix}:s3cret@")),
        ca_pem: None,
        prefix,
        queued_tasks: 1_000_000,
        time: Time::Given,
    }
}
