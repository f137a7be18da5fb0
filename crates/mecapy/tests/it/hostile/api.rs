//! Requests made to harm the server, or to reach what is not the caller's.

mod bodies;
mod callers;
mod connections;
mod forms;
mod heads;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use test_support::archive::Archive;
use test_support::client::Answer;
use ureq::http::Method;

use super::Fortress;

/// What a refusal says: its status, its code, and words in both languages.
fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let body = answer.json();
    assert_eq!(body["code"], code, "{body:#}");
    assert_eq!(body["status"], status);
    assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body:#}");
    body
}

/// Any request with a JSON body.
fn post(fortress: &Fortress, path: &str, body: impl Into<Vec<u8>>, language: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("accept-language", language)];
    fortress.client.send(Method::POST, path, &headers, body.into())
}

/// A connection on which a test writes what it wants.
struct Raw {
    stream: TcpStream,
    token: String,
}

impl Raw {
    fn to(fortress: &Fortress) -> Self {
        let address = fortress.server.url().trim_start_matches("http://");
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, token: fortress.server.token().to_owned() }
    }

    /// Writes as far as the server reads; `{T}` becomes a line with the token.
    fn write(&mut self, text: impl AsRef<[u8]>) -> bool {
        let mut bytes = text.as_ref().to_vec();
        if let Some(at) = bytes.windows(3).position(|three| three == b"{T}") {
            let line = format!("Host: here\r\nAuthorization: Bearer {}\r\n", self.token);
            bytes.splice(at..at + 3, line.bytes());
        }
        self.stream.write_all(&bytes).is_ok()
    }

    /// All that the server says until it closes the connection.
    fn read(mut self) -> String {
        let mut said = Vec::new();
        match self.stream.read_to_end(&mut said) {
            Ok(_) => {}
            // A reset after the answer is as good as its end.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&said)),
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Writes, and reads to the end.
    fn ask(fortress: &Fortress, text: impl AsRef<[u8]>) -> String {
        let mut raw = Self::to(fortress);
        raw.write(text);
        raw.read()
    }

    /// Goes away in the middle.
    fn abort(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The status of an answer's text.
fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The longest that anybody else may wait, on a machine that is busy besides.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Proves that others are served while `work` goes on.
fn others_are_served(fortress: &Fortress, work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let work = scope.spawn(work);
        while !work.is_finished() {
            let began = Instant::now();
            let _ = fortress.client.get("/health/live").expect(200);
            let waited = began.elapsed();
            assert!(waited < PATIENCE, "others waited {waited:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        work.join().unwrap();
    });
}

/// A function that gives its inputs back.
fn echo(name: &str) -> Archive {
    Archive::new(name, "def calculate(inputs):\n    return inputs\n")
}
