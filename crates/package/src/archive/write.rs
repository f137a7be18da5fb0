//! A deterministic ZIP from files.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A ZIP of the files, sorted by path, without times: equal files give equal
/// bytes. By-products of tools are left out, see [`super::ignored`].
///
/// # Errors
/// When a path can't stand in a ZIP, such as one longer than 65,535 bytes.
pub fn zip<P: AsRef<str>, C: AsRef<[u8]>>(files: &[(P, C)]) -> io::Result<Vec<u8>> {
    let mut sorted: Vec<(&str, &[u8])> =
        files.iter().map(|(path, content)| (path.as_ref(), content.as_ref())).collect();
    sorted.sort_unstable();
    let mut packing = Packing::new(u64::MAX);
    for (path, content) in sorted {
        packing.add(path, content)?;
    }
    packing.finish()
}

/// A ZIP that is made file by file and grows to a bound; its bytes are those
/// of [`zip()`] where the files come sorted by path.
#[derive(Debug)]
pub struct Packing(ZipWriter<Bounded>);

impl Packing {
    /// An empty ZIP that may take so many bytes.
    #[must_use]
    pub fn new(most: u64) -> Self {
        Self(ZipWriter::new(Bounded { bytes: Cursor::new(Vec::new()), most }))
    }

    /// Adds a file, unless it is a by-product of tools.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] when the ZIP would be too large; else
    /// when the path can't stand in a ZIP or the content can't be read.
    pub fn add(&mut self, path: &str, mut content: impl Read) -> io::Result<()> {
        if super::ignored(path) {
            return Ok(());
        }
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        self.0.start_file(path, options)?;
        io::copy(&mut content, &mut self.0).map(drop)
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] when the ZIP would be too large.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        Ok(self.0.finish()?.bytes.into_inner())
    }
}

/// Bytes that take no more than so many.
#[derive(Debug)]
struct Bounded {
    bytes: Cursor<Vec<u8>>,
    most: u64,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.position() + more.len() as u64 > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.write(more)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_grows_to_its_bound_and_not_beyond() {
        let noise: Vec<u8> = (0..100_000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let mut packing = Packing::new(50_000);
        packing.add("a", &b"short"[..]).unwrap();
        let error = packing.add("b", &noise[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        let mut packing = Packing::new(1 << 20);
        packing.add("a", &b"short"[..]).unwrap();
        packing.add("b", &noise[..]).unwrap();
        assert_eq!(packing.finish().unwrap(), zip(&[("b", &noise[..]), ("a", b"short")]).unwrap());
    }
}
