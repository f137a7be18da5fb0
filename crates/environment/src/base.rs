//! The base images: their packages' versions as released with the platform,
//! locked once per interpreter and kept.

use std::path::{Path, PathBuf};

use domain::manifest::{BaseImage, PythonVersion};

use crate::interpreter::{Interpreter, Python};
use crate::lock::{Lock, Locked};

/// The versions that a release of the platform prefers. An index that lacks
/// one of them gives the newest that fits instead.
pub(crate) fn preferred(image: BaseImage, minor: PythonVersion) -> Vec<Locked> {
    pins(image, minor)
        .lines()
        .filter_map(|line| line.split_once("=="))
        .map(|(name, version)| Locked {
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: Vec::new(),
        })
        .collect()
}

fn pins(image: BaseImage, minor: PythonVersion) -> &'static str {
    match (image, minor.minor()) {
        (BaseImage::Base, _) => "",
        (BaseImage::Scientific, 9) => include_str!("../base-images/python-scientific-3.9.txt"),
        (BaseImage::Scientific, 10) => include_str!("../base-images/python-scientific-3.10.txt"),
        (BaseImage::Scientific, 11) => include_str!("../base-images/python-scientific-3.11.txt"),
        (BaseImage::Scientific, 12) => include_str!("../base-images/python-scientific-3.12.txt"),
        (BaseImage::Scientific, _) => include_str!("../base-images/python-scientific-3.13.txt"),
        (BaseImage::Cfd, 9) => include_str!("../base-images/python-cfd-3.9.txt"),
        (BaseImage::Cfd, 10) => include_str!("../base-images/python-cfd-3.10.txt"),
        (BaseImage::Cfd, 11) => include_str!("../base-images/python-cfd-3.11.txt"),
        (BaseImage::Cfd, 12) => include_str!("../base-images/python-cfd-3.12.txt"),
        (BaseImage::Cfd, _) => include_str!("../base-images/python-cfd-3.13.txt"),
    }
}

/// Where the lock of a base image is kept. The name changes with the release's
/// versions, so that a new release of the platform brings its own.
pub(crate) fn kept_at(root: &Path, image: BaseImage, interpreter: &Interpreter) -> PathBuf {
    use sha2::Digest as _;
    let Python { version, abi, .. } = &interpreter.python;
    let pins = hex::encode(sha2::Sha256::digest(pins(image, interpreter.minor)));
    root.join("base").join(format!("{image}-{version}-{abi}-{}.json", &pins[..12]))
}

/// The kept lock, where there is one that fits.
pub(crate) fn kept(path: &Path, image: BaseImage, interpreter: &Interpreter) -> Option<Lock> {
    let lock: Lock = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let fits = lock.verify().is_ok()
        && lock.base_image == image
        && lock.base_only
        && lock.python == interpreter.python;
    fits.then_some(lock)
}

/// Keeps a lock for the next start. Written beside and renamed, so that a
/// reader finds a whole one or none.
pub(crate) fn keep(path: &Path, lock: &Lock) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut file, lock)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::normalised;

    #[test]
    fn every_base_image_has_a_version_for_each_of_its_packages_on_every_python() {
        for image in BaseImage::ALL {
            for minor in PythonVersion::SUPPORTED {
                let pinned = preferred(image, minor);
                for requirement in image.requirements() {
                    let name = normalised(requirement);
                    assert!(pinned.iter().any(|p| p.name == name), "{image} {minor}: {name}");
                }
            }
        }
    }

    #[test]
    fn the_lists_that_versions_are_chosen_from_are_those_of_the_manifest() {
        let listed = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let scientific = listed(include_str!("../base-images/python-scientific.in"));
        let cfd = listed(include_str!("../base-images/python-cfd.in"));
        assert_eq!(scientific, BaseImage::Scientific.requirements());
        assert_eq!(cfd, BaseImage::Cfd.requirements());
    }
}
