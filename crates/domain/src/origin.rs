//! Where work came from: a request, and the trace that it is part of.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// The request that asked for something; empty where none did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller's address.
    pub address: Option<IpAddr>,
    /// Its id, as `X-Request-Id` carries it: short, and of plain characters.
    pub request_id: Option<Arc<str>>,
    /// Where it stands in a trace, while traces are collected.
    pub trace: Option<Trace>,
}

/// A span of a trace, by W3C Trace Context: what it causes names it as its
/// parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace, never 0.
    pub id: u128,
    /// The span, never 0.
    pub span: u64,
}

/// As the header `traceparent` carries it.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.id, self.span)
    }
}

/// A text that is no `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `00-` with 32, 16 and 2 hexadecimal digits")]
pub struct NotATrace;

impl FromStr for Trace {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let lower = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
            let part = parts.next().filter(|part| part.len() == digits);
            part.filter(|part| part.as_bytes().iter().all(lower)).ok_or(NotATrace)
        };
        let (version, id, span, _) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let id = u128::from_str_radix(id, 16).map_err(|_| NotATrace)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| NotATrace)?;
        // Later versions may only add parts behind.
        let ends = version != "00" || parts.next().is_none();
        if id == 0 || span == 0 || version == "ff" || !ends {
            return Err(NotATrace);
        }
        Ok(Self { id, span })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_it_is_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace: Trace = text.parse().unwrap();
        assert_eq!(trace.span, 0x00f0_67aa_0ba9_02b7);
        assert_eq!(trace.to_string(), text);
        assert!(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x".parse::<Trace>().is_ok()
        );
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(wrong.parse::<Trace>().is_err(), "{wrong}");
        }
    }
}
