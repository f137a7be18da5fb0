//! One file per command.

pub mod api;
pub mod backup;
pub mod bench;
pub mod company;
pub mod completions;
pub mod deploy;
pub mod doctor;
pub mod folder;
mod follow;
pub mod functions;
pub mod init;
pub mod inputs;
pub mod login;
pub mod man;
pub mod migrate;
mod progress;
mod report;
pub mod restore;
pub mod run;
pub mod settings;
pub mod tasks;
pub mod test;
pub(crate) mod tested;
pub mod token;
pub mod up;
pub mod user;
pub mod worker;
