//! Reads an archive once from its beginning to its end, and trusts none of it.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use domain::Digest;
use sha2::{Digest as _, Sha256};

use crate::manifest::{DATABASE, FORMAT, HEAD, MANIFEST, Place};
use crate::sealed::{MAGIC, Opened};
use crate::{Error, Head, Manifest, Member, PIECE, Passphrase, Progress};

/// Bytes of a head; a true one has a few hundred.
const MOST_HEAD: u64 = 64 << 10;
/// Bytes of a manifest: that of a million objects has 250 million.
const MOST_MANIFEST: u64 = 1 << 30;
/// Bytes behind the last member: padding, up to a record of `tar`.
const MOST_REST: u64 = 1 << 20;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Where members go, once each, in the order of the archive.
pub(crate) trait Sink {
    /// Whoever takes the bytes of one member.
    type File: Write;
    /// Learns what will come, before it comes.
    fn begin(&mut self, head: &Head) -> Result<(), Error>;
    /// A file for the member; `None` where its bytes are only to be checked.
    fn open(&mut self, place: Place) -> Result<Option<Self::File>, Error>;
    /// The error of a write to such a file.
    fn failed(&self, place: Place, reason: io::Error) -> Error;
}

/// Reads an archive into `sink`. Everything was checked against its manifest
/// once this returns, and nothing before.
pub(crate) fn read(
    from: impl Read,
    passphrase: Option<&Passphrase>,
    sink: &mut impl Sink,
    progress: Progress<'_>,
) -> Result<Manifest, Error> {
    let mut from = from;
    let mut start = Vec::with_capacity(MAGIC.len());
    from.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).map_err(Error::Input)?;
    let whole = io::Cursor::new(start.clone()).chain(from);
    if start == MAGIC {
        let words = passphrase.ok_or(Error::Sealed)?;
        unpack(Opened::begin(whole, words)?, sink, progress)
    } else if !start.starts_with(&ZSTD) {
        Err(Error::NotABackup)
    } else if passphrase.is_some() {
        Err(Error::NotSealed)
    } else {
        unpack(whole, sink, progress)
    }
}

fn unpack(
    from: impl Read,
    sink: &mut impl Sink,
    progress: Progress<'_>,
) -> Result<Manifest, Error> {
    let zstd = zstd::Decoder::new(from).map_err(Error::Input)?;
    let mut archive = tar::Archive::new(zstd);
    let manifest = members(&mut archive, sink, progress)?;
    // Only at its end does a stream show that it was not changed or cut off.
    let mut rest = archive.into_inner().take(MOST_REST + 1);
    let read = io::copy(&mut rest, &mut io::sink()).map_err(Error::Input)?;
    if read > MOST_REST {
        return Err(foreign(MANIFEST, "followed by something else"));
    }
    Ok(manifest)
}

fn members<R: Read>(
    archive: &mut tar::Archive<R>,
    sink: &mut impl Sink,
    progress: Progress<'_>,
) -> Result<Manifest, Error> {
    // Raw: the extensions of the format (long names, links, holes) are then
    // members of a kind that is refused, and never acted upon.
    let mut entries = archive.entries().map_err(Error::Input)?.raw(true);
    let mut next = || entries.next().transpose().map_err(Error::Input);
    let first = next()?.ok_or(Error::NotABackup)?;
    if name(&first)? != HEAD {
        return Err(Error::NotABackup);
    }
    let head = self::head(&small(first, HEAD, MOST_HEAD)?)?;
    let total = head.database_bytes.saturating_add(head.objects_bytes);
    sink.begin(&head)?;
    let mut found = Found { members: Vec::new(), last: None, bytes: 0 };
    loop {
        // An archive that was cut off between two members ends like this.
        let entry = next()?.ok_or_else(|| foreign(MANIFEST, "missing"))?;
        let name = name(&entry)?;
        if name == MANIFEST {
            let manifest = small(entry, MANIFEST, MOST_MANIFEST)?;
            return found.compare(head, &manifest);
        }
        let place = found.next(&name, entry.header().entry_size().map_err(Error::Input)?, total)?;
        let done = found.bytes;
        let file = sink.open(place)?;
        let member = copy(entry, name, file, |reason| sink.failed(place, reason), &mut |read| {
            progress(done + read, total);
        })?;
        found.bytes += member.bytes;
        found.members.push(member);
    }
}

fn head(bytes: &[u8]) -> Result<Head, Error> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
        #[serde(default)]
        program: String,
    }
    let damaged = |_| Error::Damaged { member: HEAD.to_owned() };
    // A later format may have another head, so its number is read first.
    let Format { format, program } = serde_json::from_slice(bytes).map_err(damaged)?;
    if format > FORMAT {
        return Err(Error::Newer { format, program: program.chars().take(40).collect() });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// What came so far.
struct Found {
    members: Vec<Member>,
    last: Option<Place>,
    bytes: u64,
}

impl Found {
    /// The place of the next member: the database first, then each object
    /// once, and no more bytes than were announced.
    fn next(&mut self, name: &str, bytes: u64, total: u64) -> Result<Place, Error> {
        let place = Place::parse(name)?;
        let in_order = match self.last {
            None => place == Place::Database,
            Some(last) => last < place,
        };
        if !in_order {
            return Err(foreign(name, "out of order"));
        }
        if self.bytes.saturating_add(bytes) > total {
            return Err(foreign(name, "larger than announced"));
        }
        self.last = Some(place);
        Ok(place)
    }

    fn compare(self, head: Head, manifest: &[u8]) -> Result<Manifest, Error> {
        let damaged = |member: &str| Error::Damaged { member: member.to_owned() };
        let manifest: Manifest = serde_json::from_slice(manifest).map_err(|_| damaged(MANIFEST))?;
        let both = self.members.iter().zip(&manifest.members);
        if let Some((found, _)) = both.clone().find(|(found, told)| found != told) {
            return Err(damaged(&found.name));
        }
        let objects = self.members.len().saturating_sub(1) as u64;
        let database = self.members.first().map(|member| member.bytes);
        let as_announced = head == manifest.head
            && self.members.len() == manifest.members.len()
            && objects == head.objects
            && database == Some(head.database_bytes)
            && self.bytes == head.database_bytes.saturating_add(head.objects_bytes);
        if as_announced { Ok(manifest) } else { Err(damaged(MANIFEST)) }
    }
}

fn name<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, Error> {
    let bytes = entry.path_bytes();
    let name = String::from_utf8_lossy(&bytes).chars().take(300).collect::<String>();
    if entry.header().entry_type() != tar::EntryType::Regular {
        return Err(foreign(&name, "no regular file"));
    }
    Ok(name)
}

fn small<R: Read>(entry: tar::Entry<'_, R>, name: &str, most: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    entry.take(most + 1).read_to_end(&mut bytes).map_err(Error::Input)?;
    if bytes.len() as u64 > most {
        return Err(foreign(name, "larger than that of any backup"));
    }
    Ok(bytes)
}

fn copy<R: Read>(
    mut entry: tar::Entry<'_, R>,
    name: String,
    mut file: Option<impl Write>,
    failed: impl Fn(io::Error) -> Error,
    progress: &mut dyn FnMut(u64),
) -> Result<Member, Error> {
    let size = entry.header().entry_size().map_err(Error::Input)?;
    let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let read = entry.read(&mut piece).map_err(Error::Input)?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
        if let Some(file) = &mut file {
            file.write_all(&piece[..read]).map_err(&failed)?;
        }
        bytes += read as u64;
        progress(bytes);
    }
    if bytes != size {
        let cut_off = io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} is cut off"));
        return Err(Error::Input(cut_off));
    }
    if let Some(file) = &mut file {
        file.flush().map_err(&failed)?;
    }
    let sha256 = Digest(hash.finalize().into());
    let named = match Place::parse(&name)? {
        Place::Object(key) => key.content_digest(),
        Place::Database => None,
    };
    if named.is_some_and(|digest| digest != sha256) {
        return Err(Error::Damaged { member: name });
    }
    Ok(Member { name, bytes, sha256 })
}

fn foreign(member: &str, found: &'static str) -> Error {
    Error::Foreign { member: member.to_owned(), found }
}

/// Whether the database of an archive holds what its manifest says, and every
/// object that its rows refer to came with it.
pub(crate) fn check_database(path: &std::path::Path, manifest: &Manifest) -> Result<(), Error> {
    use crate::manifest::{BLOBS, referred};
    let contents = store::sqlite::contents(path)?;
    let rows = contents.rows.iter().cloned().collect();
    if manifest.rows != rows || manifest.head.revision != contents.revision {
        return Err(Error::Damaged { member: DATABASE.to_owned() });
    }
    let there: BTreeSet<&str> = manifest
        .members
        .iter()
        .map(|member| member.name.as_str())
        .chain(manifest.missing.iter().map(String::as_str))
        .collect();
    for reference in &contents.references {
        let name = format!("{BLOBS}{}", referred(reference));
        if !there.contains(name.as_str()) {
            return Err(foreign(&name, "missing"));
        }
    }
    Ok(())
}
