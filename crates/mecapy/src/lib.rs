//! The `mecapy` program: command line, settings, telemetry and wiring.
//!
//! [`cli`] reads the command line and calls one module of [`commands`];
//! client commands talk to a server through [`client`], `up` and `test` hand
//! over to [`wiring`], the one place where components are put together, and
//! [`doctor`] looks at the machine.

pub mod cli;
pub mod client;
pub mod commands;
pub mod console;
pub mod doctor;
pub mod exit;
pub mod prompt;
pub mod settings;
pub mod telemetry;
pub mod wiring;
