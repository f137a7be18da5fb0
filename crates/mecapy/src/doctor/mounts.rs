//! Lines of `/proc/self/mountinfo`, described in proc_pid_mountinfo(5).

use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug)]
pub(super) struct Mount<'a> {
    /// What of its file system is mounted.
    pub(super) root: &'a str,
    /// Where.
    pub(super) point: PathBuf,
    /// The name of the file system.
    pub(super) kind: &'a str,
    /// The file system's own options.
    pub(super) options: &'a str,
}

/// All mounts, the newest last.
pub(super) fn all(mountinfo: &str) -> Vec<Mount<'_>> {
    mountinfo.lines().filter_map(parse).collect()
}

/// The mount that `path`, without symbolic links, lies on.
pub(super) fn holding<'a, 'm>(mounts: &'m [Mount<'a>], path: &Path) -> Option<&'m Mount<'a>> {
    // Of mounts at the same place the newest, the last one, is seen.
    mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())
}

fn parse(line: &str) -> Option<Mount<'_>> {
    let (mount, system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (mount.next()?, mount.next()?);
    let mut system = system.split(' ');
    let kind = system.next()?;
    let options = system.nth(1)?;
    Some(Mount { root, point: PathBuf::from(unescaped(point)), kind, options })
}

/// Spaces and the like are written as three octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
24 23 0:21 / /mnt rw shared:1 - tmpfs tmpfs rw
25 24 0:22 / /mnt/my\\040data rw - nfs4 server:/data rw,vers=4.2
26 23 0:23 / / rw,relatime - overlay overlay rw";

    #[test]
    fn a_path_lies_on_the_deepest_mount_and_of_two_on_the_newer() {
        let mounts = all(MOUNTS);
        let kind = |path: &str| holding(&mounts, Path::new(path)).map(|mount| mount.kind);
        assert_eq!(kind("/mnt/my data/mecapy"), Some("nfs4"));
        assert_eq!(kind("/mnt/my database"), Some("tmpfs"));
        assert_eq!(kind("/srv"), Some("overlay"));
        assert_eq!(holding(&[], Path::new("/srv")).map(|mount| mount.kind), None);
    }
}
