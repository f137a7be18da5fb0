//! A deterministic ZIP from files.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// A ZIP of the files, sorted by path, without times: equal files give equal
/// bytes. By-products of tools are left out, see [`super::ignored`].
///
/// # Errors
/// When a path can't stand in a ZIP, such as one longer than 65,535 bytes.
pub fn zip<P: AsRef<str>, C: AsRef<[u8]>>(files: &[(P, C)]) -> std::io::Result<Vec<u8>> {
    let mut sorted: Vec<(&str, &[u8])> =
        files.iter().map(|(path, content)| (path.as_ref(), content.as_ref())).collect();
    sorted.retain(|(path, _)| !super::ignored(path));
    sorted.sort_unstable();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in sorted {
        writer.start_file(path, options)?;
        writer.write_all(content)?;
    }
    Ok(writer.finish()?.into_inner())
}
