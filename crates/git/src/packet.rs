//! Packet lines, in which a Git server speaks: `gitprotocol-common`.

use std::io::{self, BufRead, Read};

use crate::Error;

/// The longest packet, its own four digits included.
const LONGEST: usize = 65_520;
/// The longest part of a server's own words that is shown.
const SHOWN: usize = 200;

/// What a server says, packet by packet.
pub(crate) struct Packets<R> {
    inner: R,
    line: Vec<u8>,
}

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// Bytes; a line of text mostly ends with a line feed.
    Data(&'a [u8]),
    /// Between the parts of an answer.
    Delimiter,
    /// After the last part.
    Flush,
}

impl<R: Read> Packets<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, line: Vec::new() }
    }

    /// The next packet; none where the answer ends.
    pub(crate) fn next(&mut self) -> Result<Option<Packet<'_>>, Error> {
        let mut digits = [0; 4];
        if !filled(&mut self.inner, &mut digits)? {
            return Ok(None);
        }
        let broken = || Error::NotGit("it doesn't speak in packet lines".to_owned());
        let text = std::str::from_utf8(&digits).map_err(|_| broken())?;
        let bytes = usize::from_str_radix(text, 16).map_err(|_| broken())?;
        match bytes {
            0 => return Ok(Some(Packet::Flush)),
            1 => return Ok(Some(Packet::Delimiter)),
            4..=LONGEST => {}
            _ => return Err(broken()),
        }
        self.line.resize(bytes - 4, 0);
        self.inner.read_exact(&mut self.line)?;
        if let Some(words) = self.line.strip_prefix(b"ERR ") {
            return Err(Error::Said(shown(words)));
        }
        Ok(Some(Packet::Data(&self.line)))
    }

    /// The next line of text, without its end; none at the end of a part.
    pub(crate) fn line(&mut self) -> Result<Option<&[u8]>, Error> {
        match self.next()? {
            Some(Packet::Data(line)) => Ok(Some(line.trim_ascii_end())),
            Some(Packet::Delimiter | Packet::Flush) | None => Ok(None),
        }
    }

    /// The bytes of the pack that follow: the first of three bands, the other
    /// two are what the server tells meanwhile.
    pub(crate) fn pack(self) -> Pack<R> {
        Pack { packets: self, at: 0, ended: false }
    }
}

/// Fills `into`, or says that nothing was left.
fn filled(from: &mut impl Read, into: &mut [u8]) -> Result<bool, Error> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// A pack as it arrives.
pub(crate) struct Pack<R> {
    packets: Packets<R>,
    /// How far the present packet was read; 0 where there is none.
    at: usize,
    ended: bool,
}

impl<R: Read> Read for Pack<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let taken = available.len().min(into.len());
        into[..taken].copy_from_slice(&available[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: Read> BufRead for Pack<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while !self.ended && (self.at == 0 || self.at >= self.packets.line.len()) {
            self.at = 0;
            match self.packets.next().map_err(io::Error::other)? {
                None | Some(Packet::Flush) => self.ended = true,
                Some(Packet::Data([1, ..])) => self.at = 1,
                Some(Packet::Data([3, words @ ..])) => {
                    return Err(io::Error::other(Error::Said(shown(words))));
                }
                Some(Packet::Data([2, ..] | []) | Packet::Delimiter) => {}
                Some(Packet::Data(_)) => {
                    let what = "it sends the pack in an unknown band".to_owned();
                    return Err(io::Error::other(Error::NotGit(what)));
                }
            }
        }
        Ok(if self.ended { &[] } else { &self.packets.line[self.at..] })
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

/// What a server said, fit to be shown to a person.
pub(crate) fn shown(words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    words.trim().chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_their_part() {
        let mut packets = Packets::new(&b"000aline\r\n0009other00010008last0000"[..]);
        assert_eq!(packets.line().unwrap(), Some(&b"line"[..]));
        assert_eq!(packets.line().unwrap(), Some(&b"other"[..]));
        assert_eq!(packets.line().unwrap(), None);
        assert_eq!(packets.next().unwrap(), Some(Packet::Data(b"last")));
        assert_eq!(packets.next().unwrap(), Some(Packet::Flush));
        assert_eq!(packets.next().unwrap(), None);
    }

    #[test]
    fn what_is_no_packet_is_told() {
        for (bytes, says) in [
            (&b"<html>"[..], "packet lines"),
            (b"0003", "packet lines"),
            (b"fff1", "packet lines"),
            (b"00", "broke off"),
            (b"0009abc", "broke off"),
            (b"000dERR gone\x07", "gone"),
        ] {
            let error = Packets::new(bytes).next().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_pack_is_the_first_band_and_the_last_ends_it() {
        let mut pack = Packets::new(&b"0008\x01abc0007\x02..0005\x010007\x01de0000tail"[..]).pack();
        let mut read = Vec::new();
        pack.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"abcde");
        let mut pack = Packets::new(&b"0006\x01a0009\x03oops"[..]).pack();
        let error = Error::from(pack.read_to_end(&mut Vec::new()).unwrap_err());
        assert_eq!(error, Error::Said("oops".to_owned()));
    }
}
