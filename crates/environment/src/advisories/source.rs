//! The operator's folder or ZIP: looked at, and read within bounds.

use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zip::ZipArchive;

use super::unusable::Unusable;

/// What of a source is read at most: far more than PyPI's advisories are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Size of one advisory, in bytes.
    pub(super) file_bytes: u64,
    /// Number of files, folders and entries of a ZIP.
    pub(super) files: u64,
    /// Size of all advisories together, unpacked, in bytes.
    pub(super) total_bytes: u64,
    /// Size of a ZIP itself, in bytes.
    pub(super) zip_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { file_bytes: 4 << 20, files: 400_000, total_bytes: 1 << 30, zip_bytes: 256 << 20 }
    }
}

/// A folder or ZIP as it was when it was looked at.
#[derive(Debug)]
pub(super) struct Source {
    kind: Kind,
    /// Changes when anything in it does.
    pub(super) stamp: Stamp,
}

/// Modification times, sizes and names of all files of a source, as one
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64);

#[derive(Debug)]
enum Kind {
    Folder(Vec<PathBuf>),
    Zip,
}

/// Who takes what is read: a file's name and its bytes, or why it has none.
pub(super) type Taker<'a> = dyn FnMut(&str, Result<&[u8], String>) + 'a;

impl Source {
    /// Lists what is there, without reading any of it. The path itself may be
    /// a link, which is how a new copy takes an old one's place; below it
    /// links are passed over.
    pub(super) fn look(path: &Path, bounds: &Bounds) -> Result<Self, Unusable> {
        let metadata = std::fs::metadata(path).map_err(Unusable::Unreadable)?;
        if metadata.is_dir() {
            let mut stamp = stamp_of(Path::new(""), &metadata);
            let mut files = Vec::new();
            walk(path, bounds, &mut files, &mut stamp)?;
            return Ok(Self { kind: Kind::Folder(files), stamp: Stamp(stamp) });
        }
        if !metadata.is_file() {
            return Err(Unusable::OtherKind);
        }
        if metadata.len() > bounds.zip_bytes {
            return Err(Unusable::TooLarge { limit_bytes: bounds.zip_bytes });
        }
        let stamp = Stamp(stamp_of(Path::new(""), &metadata));
        Ok(Self { kind: Kind::Zip, stamp })
    }

    /// Reads every JSON file of it.
    pub(super) fn read(
        &self,
        path: &Path,
        bounds: &Bounds,
        taker: &mut Taker<'_>,
    ) -> Result<(), Unusable> {
        let mut room = Room { bounds, left: bounds.total_bytes, buffer: Vec::new() };
        match &self.kind {
            Kind::Folder(files) => {
                for file in files {
                    let name = file.display().to_string();
                    match open(&path.join(file)) {
                        Ok(opened) => room.take(opened, &name, taker)?,
                        // It may have gone since it was listed.
                        Err(error) => taker(&name, Err(error.to_string())),
                    }
                }
                Ok(())
            }
            Kind::Zip => read_zip(path, &mut room, taker),
        }
    }
}

/// Lists the JSON files below `root` by their paths from there.
fn walk(
    root: &Path,
    bounds: &Bounds,
    files: &mut Vec<PathBuf>,
    stamp: &mut u64,
) -> Result<(), Unusable> {
    let mut seen = 0;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let unreadable = |error: io::Error| within(&folder, error);
        for entry in std::fs::read_dir(root.join(&folder)).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            seen += 1;
            if seen > bounds.files {
                return Err(Unusable::TooManyFiles { limit: bounds.files });
            }
            let name = entry.file_name();
            // A clone's `.git` holds no advisories, and very many files.
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = folder.join(&name);
            // Of the entry itself: a link is neither a folder nor a file.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(within(&path, error)),
            };
            if metadata.is_dir() {
                // A sum, because a folder is listed in no particular order.
                *stamp = stamp.wrapping_add(stamp_of(&path, &metadata));
                folders.push(path);
            } else if metadata.is_file() && is_json(name.as_encoded_bytes()) {
                *stamp = stamp.wrapping_add(stamp_of(&path, &metadata));
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(())
}

/// What can't be read below the folder is named from there.
pub(super) fn within(below: &Path, error: io::Error) -> Unusable {
    if below.as_os_str().is_empty() {
        return Unusable::Unreadable(error);
    }
    let named = format!("{}: {error}", below.display());
    Unusable::Unreadable(io::Error::new(error.kind(), named))
}

fn stamp_of(path: &Path, metadata: &Metadata) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    // The change time also tells a copy that kept its modification time.
    [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()]
        .hash(&mut hasher);
    [metadata.dev(), metadata.ino(), metadata.len()].hash(&mut hasher);
    hasher.finish()
}

fn is_json(name: &[u8]) -> bool {
    name.len() > 5 && name[name.len() - 5..].eq_ignore_ascii_case(b".json")
}

/// Opens a regular file, and nothing that a link or a pipe put in its place.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no file")) }
}

/// How much may still be read.
struct Room<'a> {
    bounds: &'a Bounds,
    left: u64,
    buffer: Vec<u8>,
}

impl Room<'_> {
    /// Reads one file; what it says of its own size is not believed.
    fn take(&mut self, from: impl Read, name: &str, taker: &mut Taker<'_>) -> Result<(), Unusable> {
        let most = self.bounds.file_bytes;
        self.buffer.clear();
        let read = from.take(most.min(self.left) + 1).read_to_end(&mut self.buffer);
        let length = self.buffer.len() as u64;
        if length > self.left {
            return Err(Unusable::TooLarge { limit_bytes: self.bounds.total_bytes });
        }
        self.left -= length;
        match read {
            Err(error) => taker(name, Err(error.to_string())),
            Ok(_) if length > most => taker(name, Err(format!("it exceeds {most} bytes"))),
            Ok(_) => taker(name, Ok(&self.buffer)),
        }
        Ok(())
    }
}

/// Reads the entries of a ZIP into memory. Their names decide nothing but
/// whether they are read: no file is ever opened by one.
fn read_zip(path: &Path, room: &mut Room<'_>, taker: &mut Taker<'_>) -> Result<(), Unusable> {
    let damaged = |error: zip::result::ZipError| Unusable::NotAZip(error.to_string());
    let limit = room.bounds.files;
    let file = File::open(path).map_err(Unusable::Unreadable)?;
    // The file may be another one than was looked at.
    let size = file.metadata().map_err(Unusable::Unreadable)?.len();
    if size > room.bounds.zip_bytes {
        return Err(Unusable::TooLarge { limit_bytes: room.bounds.zip_bytes });
    }
    let mut file = BufReader::new(file);
    if headers(&mut file).map_err(Unusable::Unreadable)? > limit {
        return Err(Unusable::TooManyFiles { limit });
    }
    file.rewind().map_err(Unusable::Unreadable)?;
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    for position in 0..archive.len() {
        let entry = match archive.by_index(position) {
            Ok(entry) => entry,
            Err(error) => {
                taker(&format!("entry {position}"), Err(error.to_string()));
                continue;
            }
        };
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(error) => {
                taker(&format!("entry {position}"), Err(error.to_string()));
                continue;
            }
        };
        if !entry.is_file() || !is_json(name.as_bytes()) {
            continue;
        }
        if entry.enclosed_name().is_none() {
            taker(&name, Err("its path leads out of the ZIP".to_owned()));
            continue;
        }
        room.take(entry, &name, taker)?;
    }
    Ok(())
}

/// How many entries a ZIP can have at most: each has a header that begins
/// with these four bytes. The list of entries is held in memory, so it is
/// bounded before it is read, and what a ZIP states of its number is not
/// believed.
fn headers(from: &mut impl Read) -> io::Result<u64> {
    const HEADER: &[u8] = b"PK\x01\x02";
    let mut found = 0;
    let mut buffer = vec![0; 1 << 16];
    // The end of the last piece, in which a header may have begun.
    let mut kept = 0;
    loop {
        let read = from.read(&mut buffer[kept..])?;
        if read == 0 {
            return Ok(found);
        }
        let filled = kept + read;
        let headers = buffer[..filled].windows(HEADER.len()).filter(|four| *four == HEADER);
        found += headers.count() as u64;
        kept = filled.min(HEADER.len() - 1);
        buffer.copy_within(filled - kept..filled, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let one = self.0.len().min(1);
            let (head, rest) = self.0.split_at(one);
            buffer[..one].copy_from_slice(head);
            self.0 = rest;
            Ok(one)
        }
    }

    #[test]
    fn headers_are_counted_once_wherever_pieces_end() {
        let bytes = b"PK\x01\x02..PKPK\x01\x02PK\x01";
        assert_eq!(headers(&mut Drops(bytes)).unwrap(), 2);
        assert_eq!(headers(&mut &bytes[..]).unwrap(), 2);
        let mut long = vec![b'P'; (1 << 16) - 2];
        long.extend_from_slice(b"PK\x01\x02K\x01\x02");
        assert_eq!(headers(&mut long.as_slice()).unwrap(), 1);
    }
}
