//! A ZIP's entries, within limits that hold against a hostile one.
//!
//! Sizes that a ZIP states of itself decide nothing: bytes are counted while
//! they are inflated, and inflating stops at the limit.

use std::io::{Cursor, Read};

use domain::limits::Limits;
use domain::{Fault, Text};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::{File, ignored, names, too_large_inflated, too_many};
use crate::code;

/// Beyond this many bytes, an archive that inflates more than
/// [`HIGHEST_RATIO`]-fold is taken for a bomb.
const RATIO_COUNTS_FROM: u64 = 16 << 20;
const HIGHEST_RATIO: u64 = 200;
/// Inflated at once, in bytes, before the bounds are looked at again.
const PIECE: u64 = 1 << 20;

/// Every regular file of a ZIP, in its own order.
pub(crate) fn unzip(bytes: &[u8], limits: &Limits) -> Result<Vec<File>, Vec<Fault>> {
    if bytes.len() as u64 > limits.archive_bytes {
        return Err(vec![too_large(bytes.len() as u64, limits)]);
    }
    let listed = central_names(bytes, limits.archive_entries);
    if listed.len() as u64 > limits.archive_entries {
        return Err(vec![too_many(listed.len() as u64, limits)]);
    }
    if let Some(count) = hidden_entries(bytes, listed.is_empty(), limits.archive_entries) {
        return Err(vec![too_many(count, limits)]);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| vec![broken(&error)])?;
    // The library may have followed another directory than the one counted.
    if archive.len() as u64 > limits.archive_entries {
        return Err(vec![too_many(archive.len() as u64, limits)]);
    }
    let mut faults = duplicates(listed);
    if archive.has_duplicate_names() && faults.is_empty() {
        faults.push(inconsistent("duplicate names"));
    }
    if archive.has_overlapping_entries().map_err(|error| vec![broken(&error)])? {
        faults.push(overlapping());
    } else if faults.is_empty()
        && let Err(error) = archive.validate_header_consistency()
    {
        faults.push(inconsistent(&error.to_string()));
    }
    for index in 0..archive.len() {
        faults.extend(kind_fault(&mut archive, index));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    inflate(archive, bytes.len() as u64, limits)
}

fn inflate(
    mut archive: ZipArchive<Cursor<&[u8]>>,
    packed: u64,
    limits: &Limits,
) -> Result<Vec<File>, Vec<Fault>> {
    let mut files = Vec::with_capacity(archive.len());
    let mut faults = Vec::new();
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let listed = archive.by_index_raw(index).map_err(|error| vec![broken(&error)])?;
        let path = listed.name().map_err(|error| vec![broken(&error)])?.into_owned();
        let passed_over = listed.is_dir() || ignored(&path);
        drop(listed);
        if passed_over {
            continue;
        }
        let mut entry = archive.by_index(index).map_err(|error| vec![broken(&error)])?;
        let stated = entry.size();
        let read = content(&mut entry, total, packed, limits).map_err(|bomb| vec![*bomb])?;
        let content = read.unwrap_or_else(|reason| {
            faults.push(damaged(&path, &reason));
            Vec::new()
        });
        if faults.is_empty() && content.len() as u64 != stated {
            faults.push(missized(&path, stated, content.len() as u64));
        }
        total += content.len() as u64;
        files.push(File { path, content });
    }
    if faults.is_empty() { Ok(files) } else { Err(faults) }
}

/// What an entry holds, or why it can't be inflated; `before` bytes came out
/// of earlier ones.
///
/// # Errors
/// The fault of an archive that is too large.
fn content(
    entry: &mut impl Read,
    before: u64,
    packed: u64,
    limits: &Limits,
) -> Result<Result<Vec<u8>, String>, Box<Fault>> {
    let mut content = Vec::new();
    loop {
        // A bomb is known by its first pieces and takes no more memory than they.
        let read = match entry.by_ref().take(PIECE).read_to_end(&mut content) {
            Ok(read) => read as u64,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let total = before + content.len() as u64;
        if total > limits.archive_inflated_bytes {
            return Err(Box::new(too_large_inflated(limits)));
        }
        if total > RATIO_COUNTS_FROM && total / packed.max(1) > HIGHEST_RATIO {
            return Err(Box::new(bomb(packed, total)));
        }
        if read < PIECE {
            return Ok(Ok(content));
        }
    }
}

/// What an entry is besides a regular file that can be read.
fn kind_fault(archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize) -> Option<Fault> {
    const KIND: u32 = 0o170_000;
    let entry = match archive.by_index_raw(index) {
        Ok(entry) => entry,
        Err(error) => return Some(broken(&error)),
    };
    let name = match entry.name() {
        Ok(name) => name.into_owned(),
        Err(error) => return Some(broken(&error)),
    };
    let plain = name.strip_suffix('/').unwrap_or(&name);
    // What is never opened may be anything, such as the links of a `.venv`.
    if ignored(plain) {
        return None;
    }
    if let Some(fault) = names::faults_of(plain) {
        return Some(fault);
    }
    let kind = entry.unix_mode().map_or(0, |mode| mode & KIND);
    let (code, en, fr) = if entry.encrypted() {
        (
            code::ARCHIVE_ENCRYPTED,
            "is encrypted; make the ZIP without a password".to_owned(),
            "est chiffré ; faites le ZIP sans mot de passe".to_owned(),
        )
    } else if entry.is_symlink() {
        (
            code::ARCHIVE_SYMLINK,
            "is a symbolic link; put the file itself in its place".to_owned(),
            "est un lien symbolique ; mettez le fichier lui-même à sa place".to_owned(),
        )
    } else if !matches!(kind, 0 | 0o100_000 | 0o040_000) {
        (
            code::ARCHIVE_SPECIAL_FILE,
            "is a device, pipe or socket; only regular files are accepted".to_owned(),
            "est un périphérique, un tube ou une prise ; seuls les fichiers ordinaires sont acceptés".to_owned(),
        )
    } else if !matches!(
        entry.compression(),
        CompressionMethod::Stored | CompressionMethod::Deflated
    ) {
        let method = entry.compression();
        (
            code::ARCHIVE_COMPRESSION,
            format!("is packed with {method}; only `deflate` and `store` are accepted"),
            format!("est compressé par {method} ; seuls `deflate` et `store` sont acceptés"),
        )
    } else {
        return None;
    };
    Some(
        Fault::error(code, Text::new(format!("`{plain}` {en}"), format!("`{plain}` {fr}")))
            .in_file(plain),
    )
}

/// The names in the central directory as they stand there, at most one more
/// than `most`. The ZIP library keeps only the last of equal names, so they
/// are counted here first; a directory that can't be followed is left to the
/// library to refuse.
fn central_names(bytes: &[u8], most: u64) -> Vec<Vec<u8>> {
    const END: usize = 22;
    let word = |at: usize, width: usize| -> Option<usize> {
        let raw = bytes.get(at..at.checked_add(width)?)?;
        Some(raw.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
    };
    let lowest = bytes.len().saturating_sub(END + 0xFFFF);
    let end = (lowest..=bytes.len().saturating_sub(END))
        .rev()
        .find(|at| bytes.get(*at..).is_some_and(|tail| tail.starts_with(b"PK\x05\x06")));
    let mut names = Vec::new();
    let Some(end) = end else { return names };
    let (Some(size), Some(stated)) = (word(end + 12, 4), word(end + 10, 2)) else { return names };
    // Bytes before the archive shift every offset, so it is found backwards.
    let Some(mut at) = end.checked_sub(size) else { return names };
    // Sixteen bits can't count a million entries; what is there is counted.
    while names.len() as u64 <= most
        && bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x01\x02"))
    {
        let (Some(name), Some(extra), Some(comment)) =
            (word(at + 28, 2), word(at + 30, 2), word(at + 32, 2))
        else {
            break;
        };
        let Some(raw) = bytes.get(at + 46..at + 46 + name) else { break };
        names.push(raw.to_vec());
        at += 46 + name + extra + comment;
    }
    if names.is_empty() && stated as u64 > most {
        names.resize(stated, Vec::new());
    }
    names
}

/// More entries than `most` where the directory was not found, or the ZIP has
/// one in the form for large archives, which may stand anywhere: each entry
/// begins with the same four bytes, so there can't be more of them than of
/// those.
fn hidden_entries(bytes: &[u8], lost: bool, most: u64) -> Option<u64> {
    const ENTRY: u64 = 46;
    let count = |mark: &[u8; 4]| bytes.windows(4).filter(|four| four == mark).count() as u64;
    if bytes.len() as u64 / ENTRY <= most || !(lost || count(b"PK\x06\x07") > 0) {
        return None;
    }
    Some(count(b"PK\x01\x02")).filter(|count| *count > most)
}

fn duplicates(mut names: Vec<Vec<u8>>) -> Vec<Fault> {
    names.sort_unstable();
    let mut twice: Vec<String> = names
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| {
            String::from_utf8_lossy(&pair[0]).chars().flat_map(char::escape_debug).collect()
        })
        .collect();
    twice.dedup();
    twice.iter().take(20).map(|path| super::duplicate(path)).collect()
}

fn too_large(found: u64, limits: &Limits) -> Fault {
    let limit = limits.archive_bytes;
    Fault::error(
        code::ARCHIVE_TOO_LARGE,
        Text::new(
            format!(
                "the archive has {found} bytes, the limit is {limit}. Pass large data as an input file instead"
            ),
            format!(
                "l’archive fait {found} octets, la limite est de {limit}. Passez plutôt les données volumineuses comme fichier d’entrée"
            ),
        ),
    )
}

fn broken(error: &ZipError) -> Fault {
    Fault::error(
        code::ARCHIVE_UNREADABLE,
        Text::new(
            format!(
                "expected a ZIP archive, found something else or a damaged one ({error}). Make the ZIP anew, for example with `mecapy deploy DIR`"
            ),
            format!(
                "une archive ZIP est attendue ; celle-ci n’en est pas une ou est endommagée ({error}). Refaites le ZIP, par exemple avec `mecapy deploy DOSSIER`"
            ),
        ),
    )
}

fn inconsistent(what: &str) -> Fault {
    Fault::error(
        code::ARCHIVE_UNREADABLE,
        Text::new(
            format!(
                "the ZIP's directory and its entries contradict each other ({what}). Make the ZIP anew"
            ),
            format!(
                "le répertoire du ZIP et ses entrées se contredisent ({what}). Refaites le ZIP"
            ),
        ),
    )
}

fn damaged(path: &str, what: &str) -> Fault {
    Fault::error(
        code::ARCHIVE_DAMAGED,
        Text::new(
            format!("`{path}` is damaged: its content does not match its checksum or can't be inflated ({what}). Make the ZIP anew"),
            format!("`{path}` est endommagé : son contenu ne correspond pas à sa somme de contrôle ou ne se décompresse pas ({what}). Refaites le ZIP"),
        ),
    )
    .in_file(path)
}

fn overlapping() -> Fault {
    Fault::error(
        code::ARCHIVE_OVERLAP,
        Text::new(
            "entries of the ZIP share the same bytes, as only ZIP bombs do. Make the ZIP anew",
            "des entrées du ZIP partagent les mêmes octets, comme seules les bombes ZIP le font. Refaites le ZIP",
        ),
    )
}

fn missized(path: &str, stated: u64, found: u64) -> Fault {
    Fault::error(
        code::ARCHIVE_DAMAGED,
        Text::new(
            format!("the ZIP states that `{path}` has {stated} bytes, and it has {found}. Make the ZIP anew"),
            format!("le ZIP annonce {stated} octets pour `{path}`, qui en a {found}. Refaites le ZIP"),
        ),
    )
    .in_file(path)
}

fn bomb(packed: u64, inflated: u64) -> Fault {
    Fault::error(
        code::ARCHIVE_RATIO,
        Text::new(
            format!(
                "the archive's {packed} bytes inflate to {inflated} and more; beyond {HIGHEST_RATIO}-fold it is refused as a ZIP bomb. Leave out what is mostly empty"
            ),
            format!(
                "les {packed} octets de l’archive en donnent {inflated} et plus ; au-delà de {HIGHEST_RATIO} fois elle est refusée comme bombe ZIP. Retirez-en ce qui est presque vide"
            ),
        ),
    )
}
