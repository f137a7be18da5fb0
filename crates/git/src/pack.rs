//! The objects of a pack: `gitformat-pack`.
//!
//! Everything is unpacked into one file on disk, each object whole, and found
//! again under the name that its content has: what a pack says of an object is
//! believed nowhere. Each step is bounded before it is taken.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::delta;
use crate::error::Bound;
use crate::object::{Id, Kind, Naming};
use crate::scratch::{Place, Scratch};
use crate::{Error, Limits};

/// The objects of a pack, each under its name.
pub(crate) struct Objects {
    scratch: Scratch,
    found: HashMap<Id, (Kind, Place)>,
}

impl Objects {
    /// Reads a whole pack into `scratch`.
    pub(crate) fn receive(
        pack: impl BufRead,
        scratch: Scratch,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let objects = Self { scratch, found: HashMap::new() };
        let source = Source { inner: pack, naming: Naming::plain(), at: 0 };
        let inflate = Decompress::new(true);
        Receiving { source, inflate, objects, bases: Vec::new(), deltas: Vec::new(), limits }
            .whole()
    }

    /// What an object is, and where it lies.
    pub(crate) fn find(&self, id: Id) -> Result<(Kind, Place), Error> {
        let found = self.found.get(&id).copied();
        found.ok_or_else(|| Error::Broken(format!("object {id} is missing")))
    }

    /// The bytes of an object.
    pub(crate) fn read(&mut self, place: Place) -> Result<Vec<u8>, Error> {
        self.scratch.read(place)
    }
}

struct Receiving<'a, R> {
    source: Source<R>,
    inflate: Decompress,
    objects: Objects,
    /// Objects that stand in the pack as they are, with their offsets there.
    bases: Vec<(u64, Id)>,
    deltas: Vec<Delta>,
    limits: &'a Limits,
}

/// What has to be done to another object to make this one.
struct Delta {
    /// Its offset in the pack.
    at: u64,
    base: Base,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Base {
    /// The object at this offset of the pack.
    At(u64),
    Named(Id),
}

impl<R: BufRead> Receiving<'_, R> {
    fn whole(mut self) -> Result<Objects, Error> {
        let [a, b, c, d, e, f, g, h, count @ ..] = self.source.array::<12>()?;
        if [a, b, c, d] != *b"PACK" || !matches!([e, f, g, h], [0, 0, 0, 2 | 3]) {
            return Err(broken("it is no pack of version 2"));
        }
        let count = u64::from(u32::from_be_bytes(count));
        Bound::Objects.check(count, self.limits.objects)?;
        for _ in 0..count {
            self.entry()?;
        }
        let named = std::mem::replace(&mut self.source.naming, Naming::plain()).end()?;
        if self.source.array::<20>()? != named.0 {
            return Err(broken("its checksum is not that of its content"));
        }
        self.resolve()
    }

    fn entry(&mut self) -> Result<(), Error> {
        let at = self.source.at;
        let [mut byte] = self.source.array()?;
        let kind = byte >> 4 & 7;
        let mut bytes = u64::from(byte & 15);
        let mut shift = 4;
        while byte & 0x80 != 0 {
            [byte] = self.source.array()?;
            if shift > 53 {
                return Err(broken("an object's size is beyond reason"));
            }
            bytes |= u64::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let kind = match kind {
            1 => Kind::Commit,
            2 => Kind::Tree,
            3 => Kind::Blob,
            4 => Kind::Tag,
            6 => {
                let base = at.checked_sub(self.distance()?);
                let base = base.ok_or_else(|| broken("an object is made from none"))?;
                return self.delta(at, Base::At(base), bytes);
            }
            7 => {
                let base = Base::Named(Id(self.source.array()?));
                return self.delta(at, base, bytes);
            }
            _ => return Err(broken("an object is of an unknown kind")),
        };
        let mut naming = Naming::begin(kind, bytes);
        let place = self.inflate(bytes, |content| naming.add(content))?;
        let id = naming.end()?;
        self.bases.push((at, id));
        self.objects.found.entry(id).or_insert((kind, place));
        Ok(())
    }

    fn delta(&mut self, at: u64, base: Base, bytes: u64) -> Result<(), Error> {
        Bound::Object.check(bytes, self.limits.object_bytes)?;
        let place = self.inflate(bytes, |_| {})?;
        self.deltas.push(Delta { at, base, place });
        Ok(())
    }

    /// How far before an entry its base begins.
    fn distance(&mut self) -> Result<u64, Error> {
        let [mut byte] = self.source.array()?;
        let mut distance = u64::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            [byte] = self.source.array()?;
            if distance >> 48 != 0 {
                return Err(broken("an object is made from one beyond reason"));
            }
            distance = (distance + 1) << 7 | u64::from(byte & 0x7f);
        }
        Ok(distance)
    }

    /// Inflates what must be `bytes` long, and keeps it.
    fn inflate(&mut self, bytes: u64, mut seen: impl FnMut(&[u8])) -> Result<Place, Error> {
        let mut out = [0; 16 << 10];
        let mut left = bytes;
        let begin = self.objects.scratch.end();
        self.inflate.reset(true);
        loop {
            let input = self.source.fill_buf()?;
            let at_end = input.is_empty();
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, &mut out, FlushDecompress::None)
                .map_err(|_| broken("an object can't be inflated"))?;
            let taken = self.inflate.total_in() - before.0;
            let made = self.inflate.total_out() - before.1;
            self.source.consume(usize::try_from(taken).unwrap_or(usize::MAX));
            left =
                left.checked_sub(made).ok_or_else(|| broken("an object is longer than it says"))?;
            let made = &out[..usize::try_from(made).unwrap_or(usize::MAX)];
            seen(made);
            self.objects.scratch.append(made)?;
            match status {
                Status::StreamEnd if left == 0 => return Ok(Place { at: begin, bytes }),
                Status::StreamEnd => return Err(broken("an object is shorter than it says")),
                _ if at_end => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// Makes the objects that are written as changes to others. Whoever has a
    /// base is made after it, so that a circle is never made.
    fn resolve(mut self) -> Result<Objects, Error> {
        let mut waiting: HashMap<Base, Vec<(u64, Place)>> = HashMap::new();
        for Delta { at, base, place } in self.deltas {
            waiting.entry(base).or_default().push((at, place));
        }
        let mut made: Vec<(u64, Id, u64)> =
            self.bases.into_iter().map(|(at, id)| (at, id, 0)).collect();
        while let Some((at, id, chain)) = made.pop()
            && !waiting.is_empty()
        {
            let of_place = waiting.remove(&Base::At(at)).unwrap_or_default();
            let of_name = waiting.remove(&Base::Named(id)).unwrap_or_default();
            if of_place.is_empty() && of_name.is_empty() {
                continue;
            }
            Bound::Chain.check(chain + 1, self.limits.chain)?;
            let (kind, place) = self.objects.find(id)?;
            Bound::Object.check(place.bytes, self.limits.object_bytes)?;
            let base = self.objects.read(place)?;
            for (at, place) in of_place.into_iter().chain(of_name) {
                let delta = self.objects.read(place)?;
                let content = delta::apply(&base, &delta, self.limits.object_bytes)?;
                let mut naming = Naming::begin(kind, content.len() as u64);
                naming.add(&content);
                let id = naming.end()?;
                let place = Place { at: self.objects.scratch.end(), bytes: content.len() as u64 };
                self.objects.scratch.append(&content)?;
                self.objects.found.entry(id).or_insert((kind, place));
                made.push((at, id, chain + 1));
            }
        }
        if waiting.is_empty() {
            Ok(self.objects)
        } else {
            Err(broken("an object is made from one that is missing"))
        }
    }
}

fn broken(what: &str) -> Error {
    Error::Broken(what.to_owned())
}

/// A pack as it is read: where in it, and what its checksum would be there.
struct Source<R> {
    inner: R,
    naming: Naming,
    at: u64,
}

impl<R: BufRead> Source<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        self.read_exact(&mut array)?;
        Ok(array)
    }
}

impl<R: BufRead> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let available = self.inner.fill_buf()?;
        let taken = available.len().min(into.len());
        into[..taken].copy_from_slice(&available[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

impl<R: BufRead> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What was filled is there until it is consumed.
        if let Ok(filled) = self.inner.fill_buf() {
            self.naming.add(&filled[..amount.min(filled.len())]);
        }
        self.at += amount as u64;
        self.inner.consume(amount);
    }
}
