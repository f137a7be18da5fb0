//! Linux isolation and the Python runner.
//!
//! A [`Sandbox`] owns one *launcher* process, which does all privileged work.
//! From it come [`Template`]s (a warm Python process per environment), from a
//! template come [`Ready`] runs (forked ahead of demand and already isolated),
//! and a ready run that gets an [`Assignment`] is [`Running`] until its
//! [`Outcome`]. The crate knows nothing of tasks, companies or HTTP.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sandbox::{Assignment, Interpreter, Job, Limits, Sandbox, Settings, TemplateSpec};
//!
//! // The program must call `sandbox::launcher_main()` first thing in `main`
//! // when its first argument is `sandbox::LAUNCHER_ARGUMENT`.
//! let sandbox = Sandbox::start(Settings::new(std::env::current_exe()?)).await?;
//! let python = Interpreter::at("/usr/bin/python3.11".as_ref(), "3.11.2")?;
//! let template = sandbox.start_template(TemplateSpec::new(python)).await?;
//! let ready = template.prepare().await?;
//! let running = ready.assign(Assignment::new(
//!     Job::Calculate { inputs: br#"{"force": 1000}"#.to_vec().into() },
//!     "/var/lib/mecapy/code/abc".into(),
//!     Limits::default(),
//! ));
//! let outcome = running.outcome().await;
//! # Ok(()) }
//! ```

mod bytecode;
mod cgroup;
mod error;
mod events;
mod frames;
mod launcher;
mod link;
mod outcome;
mod outputs;
mod run;
mod running;
mod seccomp;
mod service;
mod sys;
mod template;
mod verdict;
mod wire;

pub use error::Error;
pub use events::{Event, Events, Stream, TestOutcome, UnitTest};
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub use frames::fuzzing;
pub use outcome::{End, Failure, FailureKind, Measured, Outcome};
pub use outputs::{OutputEntry, Outputs, OutputsError};
pub use run::{Assignment, Job, Killer, Limits, Ready, Reason};
pub use running::Running;
pub use service::{CgroupMode, HostReport, LAUNCHER_ARGUMENT, Sandbox, Settings, launcher_main};
pub use template::{Compiled, Interpreter, Preloaded, Template, TemplateLimits, TemplateSpec};
