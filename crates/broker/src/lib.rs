//! Queue order, wake-ups and live events.
//!
//! The broker holds no truth: the database alone decides a task's state, and
//! the engine rebuilds everything here from it at start and whenever it was
//! lost. What must be right here is the order ([`order`], pure) and that nobody sleeps through what
//! they wait for: every waiting object ([`Work`], [`Waiter`], [`Subscription`])
//! is registered when it is made, so that what happens between making it and
//! awaiting it is not missed.
//!
//! [`in_process::InProcess`] stands behind [`Handle`] where one process does
//! everything, [`redis::Redis`] where many do.

mod broker;
pub mod cache;
pub mod error;
pub mod in_process;
pub mod live;
pub mod order;
pub mod queue;
pub mod rates;
pub mod redis;
pub mod waiting;

pub use self::redis::{Rebuild, Redis};
pub use broker::{Broker, Handle};
pub use error::Error;
pub use in_process::{InProcess, Settings};
pub use live::{Audience, LiveEvent, Received, Subscription, Topic};
pub use queue::{ClassDepth, CompanyDepth, Depths, InLine, Line, Queued, Want};
pub use rates::{Decision, Rate};
pub use waiting::{Admission, Waiter, Work};
