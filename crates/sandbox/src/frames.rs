//! Reads the result pipe: a run's own words, of which nothing is trusted.
//!
//! A frame is its kind (1 byte), the length of its JSON head (4 bytes, little
//! endian), the length of its body (8 bytes), the head, the body. Kind `P` is
//! progress, `T` a test of the archive's own, `R` a result whose body is the
//! result's JSON, `E` a failure.

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

use std::io;

use bytes::Bytes;
use serde::Deserialize;
use tokio::net::unix::pipe;

use crate::events::UnitTest;

/// Longest head of other than large results; a failure's traceback is cut far
/// below it.
const HEAD_BYTES: usize = 1 << 20;
const PREFIX_BYTES: usize = 13;
/// Room that is made for each read.
const READ_BYTES: usize = 64 << 10;

/// One frame.
#[derive(Debug)]
pub(crate) enum Frame {
    Progress(Progress),
    Test(UnitTest),
    Result(ResultHead, Bytes),
    Failure(FailureHead),
}

#[derive(Debug, Deserialize)]
pub(crate) struct Progress {
    pub(crate) step: f64,
    pub(crate) total: Option<f64>,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ResultHead {
    pub(crate) non_finite: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FailureHead {
    pub(crate) kind: String,
    pub(crate) exception: String,
    pub(crate) message: String,
    pub(crate) french: Option<String>,
    pub(crate) traceback: Option<String>,
    pub(crate) pointer: Option<String>,
    pub(crate) limit: Option<u64>,
    pub(crate) measured: Option<u64>,
}

/// Why no frame can come any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// All writers are gone.
    Ended,
    /// What came is no frame.
    Garbage(String),
    /// A body longer than allowed was announced; its length.
    TooLong(u64),
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Frames {
    pipe: pipe::Receiver,
    unread: Unread,
    body_limit: u64,
}

impl Frames {
    pub(crate) fn new(pipe: pipe::Receiver) -> Self {
        Self { pipe, unread: Unread::default(), body_limit: 0 }
    }

    /// Sets the longest body that is accepted.
    pub(crate) fn limit(&mut self, body_limit: u64) {
        self.body_limit = body_limit;
    }

    /// The next frame. Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Frame, Broken> {
        loop {
            if let Some(frame) = self.unread.take(self.body_limit)? {
                return Ok(frame);
            }
            self.pipe.readable().await.map_err(|_| Broken::Ended)?;
            match self.pipe.try_read_buf(self.unread.room()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(Broken::Ended),
            }
        }
    }

    /// The next frame that is there already.
    pub(crate) fn next_now(&mut self) -> Result<Option<Frame>, Broken> {
        loop {
            if let Some(frame) = self.unread.take(self.body_limit)? {
                return Ok(Some(frame));
            }
            // Not through tokio, which may not have noticed the data yet.
            let room = rustix::buffer::spare_capacity(self.unread.room());
            match rustix::io::read(&self.pipe, room) {
                Ok(1..) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Ok(0) | Err(_) => return Err(Broken::Ended),
            }
        }
    }
}

/// What has come and is no frame yet.
#[derive(Debug, Default)]
struct Unread {
    bytes: Vec<u8>,
    /// Where the next frame begins. Moving the rest to the front for every
    /// frame would let a flood of small ones cost the host far more than the
    /// run that writes them.
    from: usize,
}

impl Unread {
    /// Where more bytes are to be appended.
    fn room(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..std::mem::take(&mut self.from));
        self.bytes.reserve(READ_BYTES);
        &mut self.bytes
    }

    /// Takes one complete frame from the front.
    fn take(&mut self, body_limit: u64) -> Result<Option<Frame>, Broken> {
        let garbage = |what: &str| Broken::Garbage(what.to_owned());
        let unread = &self.bytes[self.from..];
        let Some(prefix) = unread.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [kind, h0, h1, h2, h3, body @ ..] = *prefix;
        let head_length = u32::from_le_bytes([h0, h1, h2, h3]) as usize;
        let body_length = u64::from_le_bytes(body);
        // A result's head names its non-finite numbers, which may be most of it.
        let most = if kind == b'R' { body_limit.max(HEAD_BYTES as u64) } else { HEAD_BYTES as u64 };
        if !matches!(kind, b'P' | b'T' | b'R' | b'E') || head_length as u64 > most {
            return Err(garbage("bytes that are no frame of the runner"));
        }
        if body_length > if kind == b'R' { body_limit } else { 0 } {
            return Err(Broken::TooLong(body_length));
        }
        let body_at = PREFIX_BYTES + head_length;
        // Bounded by the limit above, so it fits into memory and a usize.
        let end = body_at + body_length as usize;
        if unread.len() < end {
            // Grown once for a large body, but only as the bytes really come.
            if unread.len() >= body_at {
                let missing = end - unread.len();
                self.bytes.reserve(missing.min(self.bytes.len().max(READ_BYTES)));
            }
            return Ok(None);
        }
        let head = &unread[PREFIX_BYTES..body_at];
        let malformed = |error: serde_json::Error| garbage(&format!("a malformed frame: {error}"));
        let frame = match kind {
            b'P' => Frame::Progress(serde_json::from_slice(head).map_err(malformed)?),
            b'T' => Frame::Test(serde_json::from_slice(head).map_err(malformed)?),
            b'E' => Frame::Failure(serde_json::from_slice(head).map_err(malformed)?),
            _ => {
                let head = serde_json::from_slice(head).map_err(malformed)?;
                self.bytes.drain(..std::mem::take(&mut self.from));
                let rest = self.bytes.split_off(end);
                let whole = Bytes::from(std::mem::replace(&mut self.bytes, rest));
                return Ok(Some(Frame::Result(head, whole.slice(body_at..end))));
            }
        };
        self.from += end;
        Ok(Some(frame))
    }
}

/// Deepest nesting of a result: what the runner's encoder writes at most, and
/// what every reader's recursion stands.
const MOST_LEVELS: usize = 500;

/// Says why bytes are not exactly one JSON value in UTF-8 that can be read.
pub(crate) fn check_json(bytes: &[u8]) -> Result<(), String> {
    std::str::from_utf8(bytes).map_err(|error| format!("the result is not UTF-8: {error}"))?;
    // Ignoring a value takes no stack per level, so depth can't hurt here.
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde::de::IgnoredAny::deserialize(&mut reader)
        .and_then(|_| reader.end())
        .map_err(|error| format!("the result is not one JSON value: {error}"))?;
    match levels(bytes) {
        0..=MOST_LEVELS => Ok(()),
        levels => {
            Err(format!("the result is nested {levels} levels deep, {MOST_LEVELS} are allowed"))
        }
    }
}

/// How deep valid JSON is nested.
fn levels(json: &[u8]) -> usize {
    let (mut deepest, mut level, mut in_string, mut escaped) = (0, 0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                level += 1;
                deepest = deepest.max(level);
            }
            b']' | b'}' if !in_string => level = level.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, head: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend((head.len() as u32).to_le_bytes());
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(head.as_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        let head = r#"{"non_finite":[]}"#;
        let sent = [frame(b'P', r#"{"step":1.0}"#, b""), frame(b'R', head, b"[1,2]")].concat();
        for cut in 0..sent.len() {
            let mut unread = Unread { bytes: sent[..cut].to_vec(), from: 0 };
            let mut seen = 0;
            while unread.take(5).unwrap().is_some() {
                seen += 1;
            }
            unread.room().extend(&sent[cut..]);
            while let Some(frame) = unread.take(5).unwrap() {
                seen += 1;
                if let Frame::Result(_, body) = frame {
                    assert_eq!(&body[..], b"[1,2]");
                }
            }
            assert_eq!(seen, 2, "cut at {cut}");
        }
    }

    #[test]
    fn a_flood_of_small_frames_moves_no_bytes_about() {
        let mut unread = Unread { bytes: frame(b'P', r#"{"step":1}"#, b"").repeat(3000), from: 0 };
        let place = unread.bytes.as_ptr();
        for _ in 0..3000 {
            assert!(unread.take(0).unwrap().is_some());
            assert_eq!(unread.bytes.as_ptr(), place);
        }
        assert!(unread.take(0).unwrap().is_none() && unread.room().is_empty());
    }

    #[test]
    fn a_body_past_the_limit_is_refused_before_it_is_read() {
        let mut buffer = frame(b'R', "{}", b"")[..5].to_vec();
        buffer.extend(u64::MAX.to_le_bytes());
        let mut unread = Unread { bytes: buffer, from: 0 };
        assert_eq!(unread.take(1 << 27).unwrap_err(), Broken::TooLong(u64::MAX));
    }

    #[test]
    fn garbage_is_told_from_frames() {
        for garbage in [&b"hello, this is not a frame"[..], &frame(b'R', "[]", b"1"), &[b'E'; 64]] {
            assert!(Unread { bytes: garbage.to_vec(), from: 0 }.take(10).is_err());
        }
    }

    #[test]
    fn a_result_is_exactly_one_json_value() {
        let nested = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        let (deep, too_deep) = (nested(MOST_LEVELS), nested(MOST_LEVELS + 1));
        let brackets = [&br#"["\"[["#[..], &b"[".repeat(MOST_LEVELS), br#"",{}]"#].concat();
        for good in [&b"1e400"[..], b" {\"a\":[1,2]} ", &deep, &brackets] {
            assert_eq!(check_json(good), Ok(()));
        }
        for bad in [&too_deep[..], b"", b"1 2", b"{\"a\":}", b"NaN", b"\"\xff\"", b"[1"] {
            assert!(check_json(bad).is_err(), "{bad:?}");
        }
    }
}
