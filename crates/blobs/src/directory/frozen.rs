//! All objects of one moment, for a copy that is taken while others write and
//! delete.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::directory::scratch::Scratch;
use crate::directory::{Directory, listing};
use crate::{Area, Error, Key};

/// How many names are read at once.
const PAGE: usize = 4096;

/// The objects that were there, as files that no deletion reaches. They take
/// no space of their own, and end with this.
#[derive(Debug)]
pub struct Frozen {
    scratch: Scratch,
    objects: Vec<(Key, u64)>,
}

impl Directory {
    /// Takes all objects of the folder `root`, which another process may be
    /// using. No object is deleted while `moment` is called and until all are
    /// taken: whatever was there then is in the answer. Blocks.
    pub fn freeze<T, E: From<Error>>(
        root: &Path,
        moment: impl FnOnce() -> Result<T, E>,
    ) -> Result<(Frozen, T), E> {
        let fail = |reason| Error::from_io("freeze", root.display(), reason);
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(fail)?;
        let scratch = Scratch::open(root).map_err(fail)?;
        let held = File::open(root).map_err(fail)?;
        held.lock().map_err(fail)?;
        let at = moment()?;
        let mut frozen = Frozen { scratch, objects: Vec::new() };
        for company in listing::companies(root)? {
            for &area in Area::ALL {
                let mut after = None;
                loop {
                    let page = listing::list(root, company, area, after, PAGE)?;
                    let Some(last) = page.last() else { break };
                    after = Some(last.key);
                    for object in page {
                        frozen.take(root, object.key)?;
                        frozen.objects.push((object.key, object.bytes));
                    }
                }
            }
        }
        drop(held);
        frozen.objects.sort_unstable();
        Ok((frozen, at))
    }
}

impl Frozen {
    /// The objects and their sizes in bytes, in the order of their keys.
    #[must_use]
    pub fn objects(&self) -> &[(Key, u64)] {
        &self.objects
    }

    /// A folder that ends with this, on the same disk.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.scratch.folder()
    }

    /// Opens an object.
    pub fn open(&self, key: Key) -> Result<File, Error> {
        File::open(self.path(key)).map_err(|reason| Error::from_io("read", key, reason))
    }

    fn path(&self, key: Key) -> PathBuf {
        self.folder().join(key.to_string())
    }

    fn take(&self, root: &Path, key: Key) -> Result<(), Error> {
        let (from, to) = (root.join(key.to_string()), self.path(key));
        let taken = fs::hard_link(&from, &to).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let folder = to.parent().unwrap_or(self.folder());
                DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
                fs::hard_link(&from, &to)
            }
            _ => Err(error),
        });
        taken
            .or_else(|error| match error.kind() {
                // Some file systems know no hard links.
                io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => {
                    fs::copy(&from, &to).map(drop)
                }
                _ => Err(error),
            })
            .map_err(|reason| Error::from_io("freeze", key, reason))
    }
}
