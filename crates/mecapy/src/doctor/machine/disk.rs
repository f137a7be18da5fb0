//! Room and file systems.

use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};
use store::url::Location;

use super::host::text;
use crate::doctor::facts::{Disk, Place};
use crate::doctor::mounts;
use crate::settings::Settings;

pub(super) fn read(settings: &Settings) -> Disk {
    let mountinfo = text("/proc/self/mountinfo");
    let folder = match &settings.database {
        Location::Sqlite(file) => file.parent(),
        Location::Postgres(_) => None,
    };
    let database = folder.filter(|at| !at.starts_with(&settings.data));
    Disk {
        data: place(&settings.data, &mountinfo),
        database: database.map(|folder| place(folder, &mountinfo)),
        temporary: place(&std::env::temp_dir(), &mountinfo),
        memory_bytes: available(&text("/proc/meminfo")),
    }
}

fn place(path: &Path, mountinfo: &str) -> Place {
    let metadata = path.ancestors().find_map(|at| Some((at, at.metadata().ok()?)));
    let (existing, is_folder) =
        metadata.map_or((Path::new("/"), false), |(at, metadata)| (at, metadata.is_dir()));
    let real = existing.canonicalize().unwrap_or_else(|_| existing.to_owned());
    let mounts = mounts::all(mountinfo);
    let kind = mounts::holding(&mounts, &real).map(|mount| mount.kind.to_owned());
    let room = rustix::fs::statvfs(existing).ok();
    Place {
        path: path.to_owned(),
        existing: existing.to_owned(),
        is_folder,
        writable: writable(existing),
        kind: kind.unwrap_or_default(),
        free_bytes: room.as_ref().map_or(0, |room| room.f_bavail.saturating_mul(room.f_frsize)),
        // Some file systems make inodes as they are needed and count none.
        free_files: room.filter(|room| room.f_files > 0).map(|room| room.f_favail),
    }
}

/// Whether this process may make files there, read-only mounts included.
pub(super) fn writable(path: &Path) -> bool {
    may(path, Access::WRITE_OK | Access::EXEC_OK)
}

/// Whether this process may use a file like this; nothing is opened.
pub(super) fn may(path: &Path, access: Access) -> bool {
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

/// `MemAvailable` of proc_meminfo(5).
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_looked_at_where_it_would_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let seen = place(&folder.path().join("a/b"), &text("/proc/self/mountinfo"));
        assert_eq!(seen.existing, folder.path());
        assert!(seen.is_folder && seen.writable && seen.free_bytes > 0 && !seen.kind.is_empty());
        assert!(!folder.path().join("a").exists());
        std::fs::write(folder.path().join("file"), "").unwrap();
        let below_a_file = place(&folder.path().join("file/data"), "");
        assert_eq!(below_a_file.existing, folder.path().join("file"));
        assert!(!below_a_file.is_folder);
    }

    #[test]
    fn available_memory_is_read_in_bytes() {
        let text = "MemTotal:       24684084 kB\nMemAvailable:   23542936 kB\n";
        assert_eq!(available(text), Some(23_542_936 * 1024));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
