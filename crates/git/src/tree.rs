//! The files below a folder of a commit.

use gix_hash::{Kind as Hash, ObjectId};
use gix_object::tree::EntryKind;
use gix_object::{CommitRef, Kind, TagRef, TreeRefIter};

use crate::error::Special;
use crate::pack::Objects;
use crate::{Error, Limits};

/// How deep folders and tags may be nested.
const DEEPEST: usize = 64;
/// How a file begins that Git LFS keeps elsewhere.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The files of a folder at a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The 40 digits of the commit.
    pub commit: String,
    /// The files, in the repository's order.
    pub files: Vec<File>,
}

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the folder, `/` between the names.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Takes the files below `path` of what `object` names: a commit, or a tag of
/// one.
pub(crate) fn snapshot(
    objects: &mut Objects,
    object: ObjectId,
    path: Option<&str>,
    limits: &Limits,
) -> Result<Snapshot, Error> {
    let (commit, root) = commit(objects, object)?;
    let mut walk = Walk { objects, limits, entries: 0, bytes: 0, files: Vec::new() };
    let folder = walk.folder(root, path.unwrap_or_default())?;
    walk.collect(folder, "", 0)?;
    Ok(Snapshot { commit: commit.to_string(), files: walk.files })
}

/// The commit that an object names, and its tree.
fn commit(objects: &mut Objects, mut object: ObjectId) -> Result<(ObjectId, ObjectId), Error> {
    let broken = |error: gix_error::Error| Error::Broken(error.to_string());
    for _ in 0..DEEPEST {
        let (kind, bytes) = objects.get(object)?;
        match kind {
            Kind::Commit => {
                let read = CommitRef::from_bytes(&bytes, Hash::Sha1).map_err(broken)?;
                return Ok((object, read.tree()));
            }
            Kind::Tag => {
                object = TagRef::from_bytes(&bytes, Hash::Sha1).map_err(broken)?.target();
            }
            Kind::Tree | Kind::Blob => {
                return Err(Error::Broken(format!("{object} is no commit")));
            }
        }
    }
    Err(Error::Broken("tags of tags without end".to_owned()))
}

struct Walk<'a> {
    objects: &'a mut Objects,
    limits: &'a Limits,
    entries: u64,
    bytes: u64,
    files: Vec<File>,
}

struct Entry {
    name: String,
    kind: EntryKind,
    id: ObjectId,
}

impl Walk<'_> {
    /// The tree at `path`, which leads through folders only.
    fn folder(&mut self, root: ObjectId, path: &str) -> Result<ObjectId, Error> {
        let mut tree = root;
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            if name == ".." || name.contains('\0') {
                return Err(Error::Path(path.to_owned()));
            }
            let entries = self.entries(tree)?;
            let found = entries.into_iter().find(|entry| entry.name == name);
            tree = found
                .filter(|entry| entry.kind == EntryKind::Tree)
                .ok_or_else(|| Error::NoFolder(path.to_owned()))?
                .id;
        }
        Ok(tree)
    }

    fn collect(&mut self, tree: ObjectId, folder: &str, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(Error::Broken("folders without end".to_owned()));
        }
        for Entry { name, kind, id } in self.entries(tree)? {
            let path = format!("{folder}{name}");
            let special = |what| Err(Error::Entry { path: path.clone(), what });
            match kind {
                EntryKind::Tree => self.collect(id, &format!("{path}/"), depth + 1)?,
                EntryKind::Link => return special(Special::Link),
                EntryKind::Commit => return special(Special::Submodule),
                EntryKind::Blob | EntryKind::BlobExecutable => {
                    let (_, content) = self.objects.get(id)?;
                    if content.starts_with(LFS) {
                        return special(Special::Lfs);
                    }
                    self.bytes += content.len() as u64;
                    if self.bytes > self.limits.files_bytes {
                        return Err(Error::TooLarge { limit_bytes: self.limits.files_bytes });
                    }
                    self.files.push(File { path, content });
                }
            }
        }
        Ok(())
    }

    fn entries(&mut self, tree: ObjectId) -> Result<Vec<Entry>, Error> {
        let (kind, bytes) = self.objects.get(tree)?;
        if kind != Kind::Tree {
            return Err(Error::Broken(format!("{tree} is no folder")));
        }
        let mut entries = Vec::new();
        for entry in TreeRefIter::from_bytes(&bytes, Hash::Sha1) {
            let entry = entry.map_err(|error| Error::Broken(error.to_string()))?;
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(Error::TooMany(self.limits.entries));
            }
            let name = std::str::from_utf8(entry.filename)
                .ok()
                .filter(|name| !matches!(*name, "" | "." | "..") && !name.contains(['/', '\0']))
                .ok_or_else(|| Error::Broken("a file has an odd name".to_owned()))?;
            entries.push(Entry {
                name: name.to_owned(),
                kind: entry.mode.kind(),
                id: entry.oid.to_owned(),
            });
        }
        Ok(entries)
    }
}
