//! ZIPs byte by byte, as no writer of good ones would make them.

use std::ops::Range;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use test_support::archive::Archive;

/// An entry that says of itself what the test wants.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    /// What stands in the ZIP.
    pub(super) packed: Vec<u8>,
    /// 0 is stored, 8 is deflated.
    pub(super) method: u16,
    pub(super) flags: u16,
    pub(super) crc: u32,
    /// The size that it states.
    pub(super) size: u32,
    /// Type and permissions as Unix has them.
    pub(super) mode: u32,
}

impl Entry {
    pub(super) fn new(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let mut crc = Crc::new();
        crc.update(content);
        Self {
            name: name.as_ref().to_vec(),
            packed: content.to_vec(),
            method: 0,
            // Names are UTF-8.
            flags: 1 << 11,
            crc: crc.sum(),
            size: u32::try_from(content.len()).unwrap(),
            mode: 0o100_644,
        }
    }

    /// The same, deflated.
    pub(super) fn deflated(name: &str, content: impl AsRef<[u8]>) -> Self {
        let packed = deflate(content.as_ref(), FlushCompress::Finish);
        Self { packed, method: 8, ..Self::new(name, content) }
    }

    /// Zeros, as many blocks of 16 MiB, in a thousandth of the bytes.
    pub(super) fn zeros(name: &str, blocks: usize) -> Self {
        let zeros = vec![0; 16 << 20];
        // Flushed at a byte's end, a block can be repeated as it lies.
        let mut packed = deflate(&zeros, FlushCompress::Full).repeat(blocks);
        packed.extend(deflate(b"", FlushCompress::Finish));
        let (mut crc, mut block) = (Crc::new(), Crc::new());
        block.update(&zeros);
        for _ in 0..blocks {
            crc.combine(&block);
        }
        let size = u32::try_from(blocks * zeros.len()).unwrap();
        Self { packed, method: 8, crc: crc.sum(), size, ..Self::new(name, "") }
    }

    pub(super) fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub(super) fn size(self, size: u32) -> Self {
        Self { size, ..self }
    }

    /// Its header before its content.
    fn local(&self) -> Vec<u8> {
        let mut header = b"PK\x03\x04\x14\0".to_vec();
        self.common(&mut header);
        header.extend(0_u16.to_le_bytes());
        header.extend(&self.name);
        header
    }

    /// Its line in the directory.
    fn central(&self, offset: usize) -> Vec<u8> {
        let mut line = b"PK\x01\x02\x14\x03\x14\0".to_vec();
        self.common(&mut line);
        line.extend([0; 8]);
        line.extend((self.mode << 16).to_le_bytes());
        line.extend(u32::try_from(offset).unwrap().to_le_bytes());
        line.extend(&self.name);
        line
    }

    fn common(&self, to: &mut Vec<u8>) {
        to.extend(self.flags.to_le_bytes());
        to.extend(self.method.to_le_bytes());
        // Midnight of the first day that a ZIP knows.
        to.extend([0, 0, 0x21, 0]);
        to.extend(self.crc.to_le_bytes());
        to.extend(u32::try_from(self.packed.len()).unwrap().to_le_bytes());
        to.extend(self.size.to_le_bytes());
        to.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
    }
}

/// The entries of a good archive.
pub(super) fn good() -> Vec<Entry> {
    let handler = "def calculate(inputs):\n    return {}\n";
    let archive = Archive::new("victim", handler);
    vec![Entry::new("mecapy.yaml", archive.manifest()), Entry::new("handler.py", handler)]
}

/// A ZIP of a good archive and one more entry.
pub(super) fn good_and(entry: Entry) -> Vec<u8> {
    zip(&[good(), vec![entry]].concat())
}

/// A ZIP of these entries, in this order.
pub(super) fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        directory.extend(entry.central(bytes.len()));
        bytes.extend(entry.local());
        bytes.extend(&entry.packed);
    }
    finish(bytes, &directory, entries.len())
}

/// A ZIP in which further names in the directory mean the last entry.
pub(super) fn zip_with_aliases(entries: &[Entry], aliases: Range<usize>) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let mut last = 0;
    for entry in entries {
        last = bytes.len();
        directory.extend(entry.central(last));
        bytes.extend(entry.local());
        bytes.extend(&entry.packed);
    }
    let mut alias = entries.last().unwrap().clone();
    for number in aliases.clone() {
        alias.name = letters(number);
        directory.extend(alias.central(last));
    }
    finish(bytes, &directory, entries.len() + aliases.len())
}

/// A ZIP whose directory stands in the form for large archives, which hides
/// how many entries there are from who does not know it.
pub(super) fn in_large_form(zip: &[u8]) -> Vec<u8> {
    let (rest, end) = zip.split_at(zip.len() - 22);
    let word = |at: usize| u32::from_le_bytes(end[at..at + 4].try_into().unwrap());
    let (size, offset) = (u64::from(word(12)), u64::from(word(16)));
    let count = rest.windows(4).filter(|four| four == b"PK\x01\x02").count() as u64;
    let mut bytes = rest.to_vec();
    bytes.extend(b"PK\x06\x06");
    bytes.extend(44_u64.to_le_bytes());
    bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [count, count, size, offset] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"PK\x06\x07\0\0\0\0");
    bytes.extend((rest.len() as u64).to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([0xFF; 12]);
    bytes.extend([0, 0]);
    bytes
}

fn finish(mut bytes: Vec<u8>, directory: &[u8], count: usize) -> Vec<u8> {
    let offset = u32::try_from(bytes.len()).unwrap();
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend([count, count].concat());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// A name of four letters for a number below a million.
fn letters(mut number: usize) -> Vec<u8> {
    const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letter = |_| {
        let letter = LETTERS[number % LETTERS.len()];
        number /= LETTERS.len();
        letter
    };
    (0..4).map(letter).collect()
}

/// Raw deflate of `content`, ended as asked.
fn deflate(content: &[u8], end: FlushCompress) -> Vec<u8> {
    let mut packed = Vec::with_capacity(content.len() + 1024);
    let mut deflate = Compress::new(Compression::best(), false);
    let status = deflate.compress_vec(content, &mut packed, end).unwrap();
    let ended = matches!((end, status), (FlushCompress::Finish, Status::StreamEnd))
        || matches!((end, status), (FlushCompress::Full, Status::Ok));
    assert!(ended && deflate.total_in() == content.len() as u64, "{status:?}");
    packed
}
