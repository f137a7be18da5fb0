//! Version numbers: which is the newest, and which comes next.

use std::cmp::Ordering;

use semver::{BuildMetadata, Prerelease, Version};

/// The newest by semver precedence; a pre-release only where there is nothing
/// else. Numbers that differ in build metadata alone have the same precedence,
/// and then the one further down the list, deployed later, counts.
pub(crate) fn newest(deployed: &[Version]) -> Option<&Version> {
    deployed.iter().max_by(|a, b| precedence(a, b))
}

/// The number given to an archive that asks for none: the next patch after the
/// newest, 0.1.0 at first. After a pre-release it is the release itself.
pub(crate) fn next(deployed: &[Version]) -> Version {
    let Some(newest) = newest(deployed) else { return Version::new(0, 1, 0) };
    let mut next = newest.clone();
    next.build = BuildMetadata::EMPTY;
    if newest.pre.is_empty() {
        next.patch += 1;
    } else {
        next.pre = Prerelease::EMPTY;
    }
    next
}

fn precedence(a: &Version, b: &Version) -> Ordering {
    a.pre.is_empty().cmp(&b.pre.is_empty()).then_with(|| a.cmp_precedence(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Version> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_newest_is_by_precedence_and_a_release_before_any_pre_release() {
        for (deployed, expected) in [
            (&["0.9.0", "0.10.0", "0.2.0"][..], "0.10.0"),
            (&["1.0.0", "2.0.0-rc.1"], "1.0.0"),
            (&["2.0.0-rc.2", "2.0.0-rc.10"], "2.0.0-rc.10"),
            (&["1.0.0+a", "1.0.0+b"], "1.0.0+b"),
            (&["1.0.0+b", "1.0.0+a"], "1.0.0+a"),
        ] {
            assert_eq!(newest(&versions(deployed)).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn the_next_number_is_a_patch_after_the_newest() {
        for (deployed, expected) in [
            (&[][..], "0.1.0"),
            (&["0.1.0", "0.1.1"], "0.1.2"),
            (&["1.2.3+build"], "1.2.4"),
            (&["1.0.0", "2.0.0-rc.1"], "1.0.1"),
            (&["2.0.0-rc.1"], "2.0.0"),
        ] {
            let deployed = versions(deployed);
            let next = next(&deployed);
            assert_eq!(next.to_string(), expected);
            assert!(!deployed.contains(&next));
        }
    }
}
