//! One file per command.

pub mod bench;
pub mod company;
pub mod deploy;
pub mod doctor;
pub mod folder;
mod follow;
pub mod functions;
pub mod init;
pub mod inputs;
pub mod login;
mod report;
pub mod run;
pub mod settings;
pub mod tasks;
pub mod test;
pub mod token;
pub mod up;
pub mod user;
