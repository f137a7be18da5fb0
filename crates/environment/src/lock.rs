//! The lock of an environment: which wheels, by hash, for which interpreter.

use domain::Digest;
use domain::manifest::{BaseImage, PythonVersion};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::interpreter::Python;

/// Changes whenever the same lock would be installed differently.
const FORMAT: &str = "mecapy environment 1";

/// What an environment must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Request {
    /// The Python version; the operator's default where absent.
    pub python: Option<PythonVersion>,
    /// The packages that are there without being asked for.
    pub base_image: BaseImage,
    /// Further packages as PEP 508 lines, without addresses and options.
    pub requirements: Vec<String>,
}

/// A complete environment by name: every wheel of it by version and hash.
///
/// Its JSON form is what a version of a function stores; any machine with the
/// same interpreter builds the same environment from it, years later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// SHA-256 over interpreter, base image and packages.
    pub digest: Digest,
    /// The interpreter that it was made for.
    pub python: Python,
    /// The Python version, as a manifest writes it.
    pub minor: PythonVersion,
    /// The base image that it starts from.
    pub base_image: BaseImage,
    /// Whether it holds nothing but the base image's own packages. Such
    /// environments may be shared between companies even in memory.
    pub base_only: bool,
    /// Every package, sorted by name.
    pub packages: Vec<Locked>,
}

/// One package of a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Locked {
    /// The name, normalised as indexes do.
    pub name: String,
    /// The one version.
    pub version: String,
    /// SHA-256 of the wheel, or of each of its equivalent builds, in
    /// lower-case hexadecimal.
    pub sha256: Vec<String>,
}

impl Lock {
    pub(crate) fn new(
        python: Python,
        minor: PythonVersion,
        base_image: BaseImage,
        base_only: bool,
        mut packages: Vec<Locked>,
    ) -> Self {
        packages.sort();
        let mut lock =
            Self { digest: Digest([0; 32]), python, minor, base_image, base_only, packages };
        lock.digest = lock.digest_of_content();
        lock
    }

    /// The packages in the format of a requirements file, one wheel per line
    /// with its hashes; what `uv pip install --require-hashes` reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for package in &self.packages {
            text.push_str(&format!("{}=={}", package.name, package.version));
            for hash in &package.sha256 {
                text.push_str(&format!(" --hash=sha256:{hash}"));
            }
            text.push('\n');
        }
        text
    }

    /// Refuses a lock whose content is not the one that its digest names, or
    /// that says more to `uv` than packages with hashes.
    ///
    /// # Errors
    /// [`Error::ChangedLock`].
    pub fn verify(&self) -> Result<(), Error> {
        let found = self.digest_of_content();
        if found != self.digest || !self.packages.iter().all(Locked::is_plain) {
            return Err(Error::ChangedLock { named: self.digest, found });
        }
        Ok(())
    }

    fn digest_of_content(&self) -> Digest {
        // Each part ends with a line end and none contains one, so that no
        // two different locks are written alike.
        let Python { version, abi, platform } = &self.python;
        let head = [FORMAT, version, abi, platform, self.base_image.name()].join("\n");
        let mut hasher = Sha256::new();
        hasher.update(head.as_bytes());
        hasher.update(b"\n");
        hasher.update(self.text().as_bytes());
        Digest(hasher.finalize().into())
    }
}

impl Locked {
    fn is_plain(&self) -> bool {
        let word = |text: &str, more: &str| {
            !text.is_empty()
                && !text.starts_with(['-', '.'])
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        word(&self.name, "-")
            && word(&self.version, ".+!_-")
            && !self.sha256.is_empty()
            && self.sha256.iter().all(|hash| hash.len() == 64 && word(hash, ""))
    }
}

/// Reads the packages out of a `pylock.toml` (PEP 751) made for one
/// interpreter and platform, in which each package has its one wheel.
pub(crate) fn packages_of(pylock: &str) -> Result<Vec<Locked>, String> {
    #[derive(Deserialize)]
    struct Pylock {
        #[serde(default)]
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: Option<String>,
        #[serde(default)]
        wheels: Vec<Wheel>,
    }
    #[derive(Deserialize)]
    struct Wheel {
        hashes: Hashes,
    }
    #[derive(Deserialize)]
    struct Hashes {
        sha256: Option<String>,
    }
    let pylock: Pylock = toml::from_str(pylock).map_err(|error| error.to_string())?;
    pylock
        .packages
        .into_iter()
        .map(|package| {
            let mut sha256: Vec<String> = package
                .wheels
                .into_iter()
                .filter_map(|wheel| wheel.hashes.sha256)
                .map(|hash| hash.to_ascii_lowercase())
                .collect();
            sha256.sort();
            sha256.dedup();
            let locked = Locked {
                name: crate::requirement::normalised(&package.name),
                version: package.version.unwrap_or_default(),
                sha256,
            };
            if locked.is_plain() {
                Ok(locked)
            } else {
                Err(format!("{} was locked without a version or without a hash", locked.name))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(version: &str) -> Python {
        Python {
            version: version.into(),
            abi: "cpython-312-x86_64-linux-gnu".into(),
            platform: "linux-x86_64".into(),
        }
    }

    fn locked(name: &str, hash: char) -> Locked {
        Locked {
            name: name.into(),
            version: "1.0".into(),
            sha256: vec![hash.to_string().repeat(64)],
        }
    }

    fn lock(version: &str, image: BaseImage, packages: Vec<Locked>) -> Lock {
        Lock::new(python(version), PythonVersion::PREFERRED, image, false, packages)
    }

    #[test]
    fn the_digest_tells_apart_what_would_be_built_differently_and_nothing_else() {
        let base = lock("3.12.1", BaseImage::Base, vec![locked("a", '1'), locked("b", '2')]);
        let same = lock("3.12.1", BaseImage::Base, vec![locked("b", '2'), locked("a", '1')]);
        assert_eq!(base.digest, same.digest, "the order of the packages says nothing");
        for other in [
            lock("3.12.2", BaseImage::Base, base.packages.clone()),
            lock("3.12.1", BaseImage::Scientific, base.packages.clone()),
            lock("3.12.1", BaseImage::Base, vec![locked("a", '3'), locked("b", '2')]),
            lock("3.12.1", BaseImage::Base, vec![locked("a", '1')]),
        ] {
            assert_ne!(base.digest, other.digest);
        }
    }

    #[test]
    fn a_lock_survives_its_json_form_and_a_changed_one_is_refused() {
        let lock = lock("3.12.1", BaseImage::Base, vec![locked("a", '1')]);
        let json = serde_json::to_string(&lock).unwrap();
        let read: Lock = serde_json::from_str(&json).unwrap();
        assert_eq!(read, lock);
        assert!(read.verify().is_ok());
        let mut changed = read.clone();
        changed.packages[0].version = "2.0".into();
        assert!(matches!(changed.verify(), Err(Error::ChangedLock { .. })));
        let hostile = Locked { name: "a\n--index-url".into(), ..locked("a", '1') };
        let hostile = Lock::new(read.python, read.minor, read.base_image, false, vec![hostile]);
        assert!(matches!(hostile.verify(), Err(Error::ChangedLock { .. })));
    }

    #[test]
    fn a_package_without_a_hash_is_refused() {
        let with = |wheels: &str| {
            packages_of(&format!(
                "[[packages]]\nname = \"A.b\"\nversion = \"1\"\nwheels = {wheels}"
            ))
        };
        let hash = "ab".repeat(32);
        let read =
            with(&format!("[{{ url = \"x\", hashes = {{ sha256 = \"{hash}\" }} }}]")).unwrap();
        assert_eq!(read[0].name, "a-b");
        assert_eq!(read[0].sha256, [hash]);
        assert!(with("[]").is_err());
        assert!(with("[{ url = \"x\", hashes = { sha512 = \"1\" } }]").is_err());
    }
}
