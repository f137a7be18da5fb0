//! What must hold for every byte that a run writes, for the fuzzer and for
//! the replay of its corpus in this crate's tests.

use std::io::Write;

use tokio::net::unix::pipe;

use super::{Broken, Frame, Frames, HEAD_BYTES, PREFIX_BYTES, READ_BYTES, Unread, check_json};

/// A limit that a small input can pass.
const BODY_LIMIT: u64 = 512;

/// Reads bytes as the result pipe's, whole, in pieces and through a pipe.
///
/// # Panics
/// Where reading breaks one of its promises.
pub fn check(bytes: &[u8]) {
    let whole = in_pieces(bytes, || bytes.len());
    // The pieces' sizes follow from the bytes, so that a crash can be replayed.
    let mut state = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut random = |most: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % most).unwrap_or(0) + 1
    };
    assert_eq!(in_pieces(bytes, || 1), whole);
    assert_eq!(in_pieces(bytes, || random(7)), whole);
    assert_eq!(in_pieces(bytes, || random(90)), whole);
    assert_eq!(through_a_pipe(bytes), whole);
    let _ = crate::wire::parse::<crate::wire::Reply>(bytes);
}

/// The frames as text, and why they end, where the bytes come in pieces.
fn in_pieces(bytes: &[u8], mut size: impl FnMut() -> usize) -> (Vec<String>, Option<Broken>) {
    let (mut unread, mut seen, mut rest) = (Unread::default(), Vec::new(), bytes);
    loop {
        loop {
            match unread.take(BODY_LIMIT) {
                Ok(Some(frame)) => seen.push(told(frame)),
                Ok(None) => break,
                Err(broken) => return (seen, Some(broken)),
            }
        }
        let most = PREFIX_BYTES + HEAD_BYTES + BODY_LIMIT as usize + 2 * READ_BYTES;
        assert!(unread.bytes.capacity() <= most, "{} bytes", unread.bytes.capacity());
        if rest.is_empty() {
            return (seen, None);
        }
        let (piece, after) = rest.split_at(size().clamp(1, rest.len()));
        unread.room().extend_from_slice(piece);
        rest = after;
    }
}

/// The same through a pipe: what is there already, then what comes.
fn through_a_pipe(bytes: &[u8]) -> (Vec<String>, Option<Broken>) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime of one thread can be made");
    }
    let host = async {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        let receiver = pipe::Receiver::from_owned_fd(reader.into()).expect("it is a pipe");
        let mut frames = Frames::new(receiver);
        frames.limit(BODY_LIMIT);
        let mut seen = Vec::new();
        let (first, last) = bytes.split_at(bytes.len() / 2);
        // Less than a pipe holds, so that writing never waits.
        (&writer).write_all(first).expect("the pipe is not full");
        loop {
            match frames.next_now() {
                Ok(Some(frame)) => seen.push(told(frame)),
                Ok(None) => break,
                Err(broken) => return (seen, Some(broken)),
            }
        }
        (&writer).write_all(last).expect("the pipe is not full");
        drop(writer);
        loop {
            match frames.next().await {
                Ok(frame) => seen.push(told(frame)),
                Err(Broken::Ended) => return (seen, None),
                Err(broken) => return (seen, Some(broken)),
            }
        }
    };
    RUNTIME.with(|runtime| {
        let ended = runtime.block_on(host);
        // Has the runtime let go of the pipe.
        runtime.block_on(tokio::task::yield_now());
        ended
    })
}

fn told(frame: Frame) -> String {
    if let Frame::Result(_, body) = &frame {
        assert!(body.len() as u64 <= BODY_LIMIT);
        // What the host passes on is what other readers of JSON can read.
        if check_json(body).is_ok() {
            let read = serde_json::from_slice::<&serde_json::value::RawValue>(body);
            assert!(read.is_ok(), "{body:?}");
        }
    }
    format!("{frame:?}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    #[test]
    fn what_the_fuzzer_found_stays_mended() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let folders = ["corpus/frames", "regressions/frames"].map(|folder| fuzz.join(folder));
        let mut seen = 0;
        for file in folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten() {
            let path = file.unwrap().path();
            eprintln!("{}", path.display());
            let began = Instant::now();
            super::check(&std::fs::read(&path).unwrap());
            assert!(began.elapsed() < Duration::from_secs(5), "{} is slow", path.display());
            seen += 1;
        }
        assert!(seen > 10, "only {seen} files in {}", fuzz.display());
    }
}
