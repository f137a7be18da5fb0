//! Known vulnerabilities of locked packages, from advisories in the OSV format
//! (<https://ossf.github.io/osv-schema>) that the operator keeps on disk.
//!
//! Nothing is fetched: it works without a network, and is as new as the
//! operator's copy. The copy is looked at when a lock is checked, and read
//! again where it changed; there is no timer.

mod affected;
mod index;
mod osv;
mod source;
mod unusable;
mod warning;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use domain::Fault;

use crate::error::Error;
use crate::lock::Locked;
use index::Index;
use source::{Bounds, Source, Stamp};

pub use unusable::Unusable;

/// The operator's advisories. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Advisories(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    bounds: Bounds,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    index: Arc<Index>,
    /// What the source looked like when it was last read, also in vain; none
    /// where it could not even be looked at.
    stamp: Option<Stamp>,
}

impl Advisories {
    /// Reads the folder or ZIP at `path`.
    ///
    /// # Errors
    /// [`Error::Advisories`] where it can't be read or holds no advisory.
    pub(crate) async fn open(path: PathBuf) -> Result<Self, Error> {
        Self::open_within(path, Bounds::default()).await
    }

    async fn open_within(path: PathBuf, bounds: Bounds) -> Result<Self, Error> {
        let refused = path.clone();
        let work = move || {
            let source = Source::look(&path, &bounds)?;
            let index = Arc::new(load(&path, &source, &bounds)?);
            let loaded = Mutex::new(Loaded { index, stamp: Some(source.stamp) });
            Ok(Self(Arc::new(Inner { path, bounds, loaded })))
        };
        let opened = tokio::task::spawn_blocking(work).await;
        opened
            .unwrap_or_else(|broken| Err(Unusable::Unreadable(std::io::Error::other(broken))))
            .map_err(|unusable| Error::Advisories { path: refused, unusable })
    }

    /// A warning for each known vulnerability of each package.
    pub(crate) async fn warnings(&self, packages: &[Locked]) -> Vec<Fault> {
        let (inner, packages) = (self.0.clone(), packages.to_vec());
        let work = move || warning::faults(&inner.current(), &packages);
        // The check only warns, so a deployment goes on without it.
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|broken| {
            tracing::error!("packages can't be checked for known vulnerabilities: {broken}");
            Vec::new()
        })
    }
}

impl Inner {
    /// The advisories as they are on disk now. Where they can't be read any
    /// more, those read before go on to count: stale ones warn of more than
    /// none.
    fn current(&self) -> Arc<Index> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let source = match Source::look(&self.path, &self.bounds) {
            Ok(source) => source,
            Err(unusable) => {
                // It is looked for at each check, and missed once.
                if loaded.stamp.take().is_some() {
                    self.say_that_it_cant_be_used(&unusable);
                }
                return loaded.index.clone();
            }
        };
        // Noted before the attempt, so that a broken copy is read once.
        if loaded.stamp.replace(source.stamp) != Some(source.stamp) {
            match load(&self.path, &source, &self.bounds) {
                Ok(index) => loaded.index = Arc::new(index),
                Err(unusable) => self.say_that_it_cant_be_used(&unusable),
            }
        }
        loaded.index.clone()
    }

    fn say_that_it_cant_be_used(&self, unusable: &Unusable) {
        let reason = unusable.text(&self.path).en;
        tracing::error!("{reason}; the advisories read before go on to count");
    }
}

fn load(path: &Path, source: &Source, bounds: &Bounds) -> Result<Index, Unusable> {
    let mut index = Index::default();
    // Only the first is named: a folder of other JSON would fill the log.
    let mut unread = None;
    let mut files = 0_u64;
    let mut unreadable = 0_u64;
    source.read(path, bounds, &mut |name, content| {
        files += 1;
        let added = match content {
            Ok(bytes) => osv::read(bytes).and_then(|advisory| index.add(advisory)),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = added {
            unreadable += 1;
            unread.get_or_insert_with(|| format!("{}: {reason}", name.escape_debug()));
        }
    })?;
    if index.advisories() == 0 {
        return Err(Unusable::NoAdvisory { files, unreadable });
    }
    if let Some(first) = unread {
        tracing::warn!(
            advisories.unreadable = unreadable,
            "{unreadable} of {files} files in {} are no advisories that can be read in full, \
             the first is {first}; the others count",
            path.display()
        );
    }
    tracing::info!(
        advisories.count = index.advisories(),
        advisories.packages = index.packages(),
        "locked packages are checked against the advisories in {}",
        path.display()
    );
    Ok(index)
}

#[cfg(test)]
#[path = "advisories/tests.rs"]
mod tests;
