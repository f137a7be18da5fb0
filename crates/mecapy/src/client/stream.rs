//! Server-sent events, read line by line.

use std::io::{BufRead, BufReader, Read};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name, such as `task.completed`.
    pub name: String,
    /// Its data, usually one JSON value.
    pub data: String,
}

/// The events of one stream, until the server ends it.
pub struct Events {
    lines: BufReader<Box<dyn Read + Send>>,
}

impl Events {
    /// Reads events from `body`.
    pub fn new(body: impl Read + Send + 'static) -> Self {
        Self { lines: BufReader::new(Box::new(body)) }
    }
}

impl Iterator for Events {
    type Item = std::io::Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut name, mut data) = (String::new(), None::<String>);
        loop {
            let mut line = String::new();
            match self.lines.read_line(&mut line) {
                // An event without its empty line was cut off.
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                if let Some(data) = data {
                    let name = if name.is_empty() { "message".to_owned() } else { name };
                    return Some(Ok(Event { name, data }));
                }
                name.clear();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut name),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_the_standard_writes_them() {
        let text = ": hello\n\nevent: task.running\nid: 4\ndata: {\"a\":1}\n\ndata: x\r\ndata: y\r\n\r\nevent: cut\ndata: off\n";
        let events: Vec<Event> = Events::new(text.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(
            events,
            [
                Event { name: "task.running".into(), data: "{\"a\":1}".into() },
                Event { name: "message".into(), data: "x\ny".into() },
            ]
        );
    }
}
