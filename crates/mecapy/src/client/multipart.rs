//! One file as `multipart/form-data` (RFC 7578), read as it is sent.

use std::io::{Cursor, Read};

/// The one part of a body.
pub(super) struct Part<R> {
    boundary: String,
    head: Vec<u8>,
    tail: Vec<u8>,
    content: R,
    length: u64,
}

impl<R: Read> Part<R> {
    pub(super) fn new(field: &str, name: &str, content: R, length: u64) -> Self {
        let boundary = format!("mecapy-{}", uuid::Uuid::new_v4().simple());
        // Browsers escape these three in the same way.
        let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        Self { boundary, head: head.into(), tail: tail.into(), content, length }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    pub(super) fn len(&self) -> u64 {
        self.head.len() as u64 + self.length + self.tail.len() as u64
    }

    /// Never more than the announced length, even of a file that grows.
    pub(super) fn into_reader(self) -> impl Read {
        Cursor::new(self.head).chain(self.content.take(self.length)).chain(Cursor::new(self.tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announced_length_is_the_length_that_is_sent() {
        let part = Part::new("archive", "a\"b.zip", &b"content"[..], 7);
        let length = part.len();
        let mut sent = Vec::new();
        part.into_reader().read_to_end(&mut sent).unwrap();
        assert_eq!(sent.len() as u64, length);
        let text = String::from_utf8(sent).unwrap();
        assert!(text.contains("name=\"archive\"; filename=\"a%22b.zip\"\r\n"), "{text}");
        assert!(text.contains("\r\n\r\ncontent\r\n--mecapy-"), "{text}");
    }
}
