//! The files below a folder of a commit.

use std::collections::HashSet;

use crate::error::{Bound, Special};
use crate::object::{Id, Kind, entries, target_of_tag, tree_of_commit};
use crate::pack::Objects;
use crate::scratch::Place;
use crate::{Error, Limits};

/// Tags of tags that are followed.
const TAGS: usize = 8;
/// How a file begins that Git LFS keeps elsewhere.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";
/// The longest name, in bytes, that file systems take.
const LONGEST_NAME: usize = 255;
/// Refused entries beyond this many add nothing for whoever reads them.
const MOST_REFUSED: usize = 100;

/// What was found below a folder, each file where it lies.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) commit: Id,
    pub(crate) files: Vec<(String, Place)>,
}

/// Lists the files below `path` of what `object` names: a commit, or a tag of
/// one.
pub(crate) fn list(
    objects: &mut Objects,
    object: Id,
    path: &str,
    limits: &Limits,
) -> Result<Listing, Error> {
    let (commit, root) = commit(objects, object)?;
    let mut walk =
        Walk { objects, limits, entries: 0, bytes: 0, files: Vec::new(), refused: Vec::new() };
    let folder = walk.folder(root, path)?;
    walk.collect(folder, "", 0)?;
    match walk.refused {
        refused if refused.is_empty() => Ok(Listing { commit, files: walk.files }),
        refused => Err(Error::Entries(refused)),
    }
}

/// The commit that an object names, and its tree.
fn commit(objects: &mut Objects, mut object: Id) -> Result<(Id, Id), Error> {
    for _ in 0..TAGS {
        let (kind, place) = objects.find(object)?;
        let no_commit = || Error::Broken(format!("{object} is no commit"));
        match kind {
            Kind::Commit => {
                let tree = tree_of_commit(&objects.read(place)?).ok_or_else(no_commit)?;
                return Ok((object, tree));
            }
            Kind::Tag => object = target_of_tag(&objects.read(place)?).ok_or_else(no_commit)?,
            Kind::Tree | Kind::Blob => return Err(no_commit()),
        }
    }
    Err(Error::Broken("tags of tags without end".to_owned()))
}

struct Walk<'a> {
    objects: &'a mut Objects,
    limits: &'a Limits,
    entries: u64,
    bytes: u64,
    files: Vec<(String, Place)>,
    refused: Vec<(String, Special)>,
}

/// What an entry of a folder is.
enum What {
    Folder,
    File,
    Refused(Special),
}

impl Walk<'_> {
    /// The tree at `path`, which leads through folders only.
    fn folder(&mut self, root: Id, path: &str) -> Result<Id, Error> {
        let mut tree = root;
        let mut walked = String::new();
        for name in names(path)? {
            walked.push_str(name);
            let found =
                self.entries(tree)?.into_iter().find(|(found, ..)| found == name.as_bytes());
            tree = match found {
                Some((_, What::Folder, id)) => id,
                Some((_, What::Refused(what), _)) => {
                    return Err(Error::Entries(vec![(walked, what)]));
                }
                Some((_, What::File, _)) | None => return Err(Error::NoFolder(path.to_owned())),
            };
            walked.push('/');
        }
        Ok(tree)
    }

    fn collect(&mut self, tree: Id, folder: &str, depth: u64) -> Result<(), Error> {
        Bound::Depth.check(depth, self.limits.depth)?;
        let mut seen = HashSet::new();
        for (name, what, id) in self.entries(tree)? {
            self.entries += 1;
            Bound::Entries.check(self.entries, self.limits.entries)?;
            let path = format!("{folder}{}", String::from_utf8_lossy(&name));
            let what = if is_name(&name) { what } else { What::Refused(Special::Name) };
            let what = if seen.insert(name) { what } else { What::Refused(Special::Twice) };
            match what {
                What::Folder => self.collect(id, &format!("{path}/"), depth + 1)?,
                What::File => self.file(path, id)?,
                What::Refused(what) => self.refuse(path, what),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, id: Id) -> Result<(), Error> {
        let (kind, place) = self.objects.find(id)?;
        if kind != Kind::Blob {
            return Err(Error::Broken(format!("{id} is no file")));
        }
        self.bytes += place.bytes;
        Bound::Files.check(self.bytes, self.limits.files_bytes)?;
        let head = Place { bytes: place.bytes.min(LFS.len() as u64), ..place };
        if self.objects.read(head)? == LFS {
            self.refuse(path, Special::Lfs);
        } else {
            self.files.push((path, place));
        }
        Ok(())
    }

    fn refuse(&mut self, path: String, what: Special) {
        if self.refused.len() < MOST_REFUSED {
            self.refused.push((path, what));
        }
    }

    fn entries(&mut self, tree: Id) -> Result<Vec<(Vec<u8>, What, Id)>, Error> {
        let (kind, place) = self.objects.find(tree)?;
        if kind != Kind::Tree {
            return Err(Error::Broken(format!("{tree} is no folder")));
        }
        Bound::Object.check(place.bytes, self.limits.object_bytes)?;
        let bytes = self.objects.read(place)?;
        let broken = || Error::Broken(format!("folder {tree} can't be read"));
        let entry = |entry: Option<crate::object::Entry<'_>>| {
            let entry = entry.ok_or_else(broken)?;
            let what = match entry.mode & 0o170_000 {
                0o040_000 => What::Folder,
                0o100_000 => What::File,
                0o120_000 => What::Refused(Special::Link),
                0o160_000 => What::Refused(Special::Submodule),
                _ => return Err(broken()),
            };
            Ok((entry.name.to_vec(), what, entry.id))
        };
        entries(&bytes).map(entry).collect()
    }
}

/// The names of a path inside a repository.
pub(crate) fn names(path: &str) -> Result<Vec<&str>, Error> {
    let names: Vec<&str> =
        path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    let is_path = !path.starts_with('/')
        && path.len() <= 4096
        && !path.contains(['\\', '\0'])
        && names.iter().all(|name| is_name(name.as_bytes()));
    if is_path { Ok(names) } else { Err(Error::Path(path.chars().take(200).collect())) }
}

/// Whether an entry can have this name. Git makes none with `.git`, under
/// which other programs would look for what they then run.
fn is_name(name: &[u8]) -> bool {
    let is_text = std::str::from_utf8(name).is_ok();
    let is_plain = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
    is_text && is_plain && name.len() <= LONGEST_NAME && !name.eq_ignore_ascii_case(b".git")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_into_the_repository_only() {
        assert_eq!(names("").unwrap(), [""; 0]);
        assert_eq!(names("functions/bolt/").unwrap(), ["functions", "bolt"]);
        assert_eq!(names("./a//b").unwrap(), ["a", "b"]);
        for path in ["..", "a/../b", "/etc", "a\\b", "a\0", ".git", "a/.GIT/b"] {
            assert_eq!(names(path), Err(Error::Path(path.to_owned())));
        }
    }
}
