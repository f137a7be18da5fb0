//! What a message is made of: entries of a letter and what belongs to it,
//! numbers big-endian.

use domain::task::State;
use domain::{CompanyId, TaskId, WorkerId};

use super::codec::{take, uuid};
use crate::{Audience, LiveEvent, Topic};

/// Something for the other processes.
#[derive(Debug, PartialEq)]
pub(super) enum Entry {
    /// There may be work; the scripts tell this.
    Work,
    /// There is a task for this worker; the scripts tell this.
    Offered(WorkerId),
    Ended(TaskId, State),
    Changed(Topic),
    Published(Topic, LiveEvent),
    /// What came before this was lost.
    Lost,
}

/// Appends an entry to a message.
pub(super) fn write(entry: &Entry, to: &mut Vec<u8>) {
    match entry {
        Entry::Work => to.push(b'W'),
        Entry::Offered(worker) => {
            to.push(b'O');
            to.extend(worker.0.as_bytes());
        }
        Entry::Ended(task, state) => {
            to.push(b'E');
            to.extend(task.0.as_bytes());
            write_text(state.as_str(), to);
        }
        Entry::Changed(topic) => {
            to.push(b'C');
            write_topic(*topic, to);
        }
        Entry::Published(topic, event) => {
            to.push(b'P');
            write_topic(*topic, to);
            to.push(matches!(event.audience, Audience::Company).into());
            write_text(&event.kind, to);
            write_text(&event.data.to_string(), to);
        }
        Entry::Lost => to.push(b'L'),
    }
}

/// The next entry of a message; `None` where it is none that we know.
pub(super) fn read(rest: &mut &[u8]) -> Option<Entry> {
    Some(match &take::<1>(rest)? {
        b"W" => Entry::Work,
        b"O" => Entry::Offered(WorkerId(uuid(rest)?)),
        b"E" => Entry::Ended(TaskId(uuid(rest)?), read_text(rest)?.parse().ok()?),
        b"C" => Entry::Changed(read_topic(rest)?),
        b"P" => {
            let topic = read_topic(rest)?;
            let audience = match take(rest)? {
                [0] => Audience::Topic,
                [_] => Audience::Company,
            };
            let kind = read_text(rest)?.to_owned().into();
            let data = serde_json::from_str(read_text(rest)?).ok()?;
            Entry::Published(topic, LiveEvent { kind, data, audience })
        }
        b"L" => Entry::Lost,
        _ => return None,
    })
}

fn write_topic(topic: Topic, to: &mut Vec<u8>) {
    to.extend(topic.company.0.as_bytes());
    to.extend(topic.resource.as_bytes());
}

fn read_topic(rest: &mut &[u8]) -> Option<Topic> {
    Some(Topic { company: CompanyId(uuid(rest)?), resource: uuid(rest)? })
}

fn write_text(text: &str, to: &mut Vec<u8>) {
    // An event of 4 GB does not come so far.
    to.extend((text.len() as u32).to_be_bytes());
    to.extend(text.as_bytes());
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = u32::from_be_bytes(take(rest)?) as usize;
    let (text, others) = rest.split_at_checked(length)?;
    *rest = others;
    std::str::from_utf8(text).ok()
}
