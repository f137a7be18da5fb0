//! What a person meets who sends an archive: good ones pass, each bad one is
//! refused with the sentences that say why.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod amplified;
mod archive;
mod documentation;
mod hostile;
mod inputs;
mod manifest;
mod properties;
mod python;
mod schemas;
mod support;
mod templates;
