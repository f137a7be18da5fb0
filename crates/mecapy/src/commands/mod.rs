//! One file per command.

pub mod bench;
pub mod deploy;
pub mod doctor;
pub mod folder;
mod follow;
pub mod functions;
pub mod init;
pub mod inputs;
mod report;
pub mod run;
pub mod settings;
pub mod tasks;
pub mod test;
pub(crate) mod tested;
pub mod up;
