//! Writes a backup.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use blobs::{Directory, Key};
use domain::{Digest, Timestamp};
use sha2::{Digest as _, Sha256};
use store::sqlite::{self, Contents, Snapshot};

use crate::manifest::{BLOBS, DATABASE, FORMAT, HEAD, MANIFEST, referred};
use crate::sealed::{Sealing, WORK_FACTOR};
use crate::{Error, Head, Manifest, Member, PIECE, Passphrase, Places, Progress};

/// How a backup is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// The version of the program that writes it.
    pub program: String,
    /// The present instant.
    pub now: Timestamp,
    /// What it is encrypted with; `None` leaves it readable for whoever has it.
    pub passphrase: Option<Passphrase>,
}

/// Writes everything that is at `places` as it is now to `to`, while a server
/// may go on with it. Nothing counts before this returns. Blocks.
pub fn write(
    places: &Places,
    options: &Options,
    to: impl Write,
    progress: Progress<'_>,
) -> Result<Manifest, Error> {
    if !places.database.is_file() {
        return Err(Error::NoDatabase(places.database.clone()));
    }
    // The database first, then the objects: a row is committed after its
    // object was written, and no object is deleted in between.
    let (frozen, snapshot) =
        Directory::freeze(&places.blobs, || Snapshot::take(&places.database).map_err(Error::from))?;
    let copy = frozen.folder().join(DATABASE);
    private(&copy)?;
    let of_objects = frozen.objects().iter().map(|(_, bytes)| bytes).sum::<u64>();
    snapshot.copy_to(&copy, &mut |done, total| progress(done, total + total + of_objects))?;
    let contents = sqlite::contents(&copy)?;
    let database_bytes =
        fs::metadata(&copy).map_err(|reason| Error::Place { path: copy.clone(), reason })?.len();
    let head = Head {
        format: FORMAT,
        program: options.program.clone(),
        revision: contents.revision.clone(),
        created_at: options.now,
        database_bytes,
        objects: frozen.objects().len() as u64,
        objects_bytes: of_objects,
    };
    let total = 2 * database_bytes + of_objects;
    let mut archive = Archive::begin(to, options, &head)?;
    let mut done = database_bytes;
    let mut add = |archive: &mut Archive<_>, name: &str, file: File, bytes: u64| {
        archive.add(name, file, bytes, &mut |read| {
            done += read;
            progress(done, total);
        })
    };
    let file = File::open(&copy).map_err(|reason| Error::Place { path: copy, reason })?;
    add(&mut archive, DATABASE, file, database_bytes)?;
    for &(key, bytes) in frozen.objects() {
        add(&mut archive, &format!("{BLOBS}{key}"), frozen.open(key)?, bytes)?;
    }
    archive.finish(head, &contents, missing(&contents, frozen.objects()))
}

/// Readable for its owner alone from its first byte on.
fn private(path: &Path) -> Result<(), Error> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).map_err(|reason| Error::Place { path: path.to_owned(), reason })
}

/// Objects that rows refer to and that are not there.
fn missing(contents: &Contents, objects: &[(Key, u64)]) -> Vec<String> {
    let there: BTreeSet<Key> = objects.iter().map(|&(key, _)| key).collect();
    let wanted = contents.references.iter().map(referred);
    wanted.filter(|key| !there.contains(key)).map(|key| format!("{BLOBS}{key}")).collect()
}

/// An archive that is being written.
struct Archive<W: Write> {
    tar: tar::Builder<zstd::Encoder<'static, Outer<W>>>,
    members: Vec<Member>,
    mtime: u64,
}

impl<W: Write> Archive<W> {
    fn begin(to: W, options: &Options, head: &Head) -> Result<Self, Error> {
        let outer = match &options.passphrase {
            Some(words) => Outer::Sealed(Sealing::begin(to, words, WORK_FACTOR)?),
            None => Outer::Plain(to),
        };
        let mut zstd = zstd::Encoder::new(outer, 3).map_err(Error::Output)?;
        zstd.include_checksum(true).map_err(Error::Output)?;
        let mtime = u64::try_from(options.now.0 / 1_000_000).unwrap_or(0);
        let mut archive = Self { tar: tar::Builder::new(zstd), members: Vec::new(), mtime };
        archive.put(HEAD, &json(head))?;
        Ok(archive)
    }

    /// Adds a file; `bytes` is its size, which no longer changes.
    fn add(
        &mut self,
        name: &str,
        file: File,
        bytes: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let mut hashed = Hashed { from: file.take(bytes), hash: Sha256::new(), bytes: 0, progress };
        let mut header = self.header(bytes);
        self.tar.append_data(&mut header, name, &mut hashed).map_err(Error::Output)?;
        if hashed.bytes != bytes {
            return Err(Error::Damaged { member: name.to_owned() });
        }
        let sha256 = Digest(hashed.hash.finalize().into());
        self.members.push(Member { name: name.to_owned(), bytes, sha256 });
        Ok(())
    }

    fn finish(
        mut self,
        head: Head,
        contents: &Contents,
        missing: Vec<String>,
    ) -> Result<Manifest, Error> {
        let members = std::mem::take(&mut self.members);
        let rows = contents.rows.iter().cloned().collect();
        let manifest = Manifest { head, rows, missing, members };
        self.put(MANIFEST, &json(&manifest))?;
        let zstd = self.tar.into_inner().map_err(Error::Output)?;
        let outer = zstd.finish().map_err(Error::Output)?;
        outer.finish().map_err(Error::Output)?;
        Ok(manifest)
    }

    fn put(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let mut header = self.header(content.len() as u64);
        self.tar.append_data(&mut header, name, content).map_err(Error::Output)
    }

    fn header(&self, bytes: u64) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(self.mtime);
        header.set_entry_type(tar::EntryType::Regular);
        header
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("these values have only text keys")
}

/// What the compressed bytes go through.
enum Outer<W: Write> {
    Plain(W),
    Sealed(Sealing<W>),
}

impl<W: Write> Outer<W> {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut to) => to.flush(),
            Self::Sealed(sealing) => sealing.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Outer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(bytes),
            Self::Sealed(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Sealed(to) => to.flush(),
        }
    }
}

/// A reader that remembers what went through it.
struct Hashed<'p, R> {
    from: R,
    hash: Sha256,
    bytes: u64,
    progress: &'p mut dyn FnMut(u64),
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = to.len().min(PIECE);
        let read = self.from.read(&mut to[..most])?;
        self.hash.update(&to[..read]);
        self.bytes += read as u64;
        (self.progress)(read as u64);
        Ok(read)
    }
}
