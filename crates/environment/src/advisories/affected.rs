//! Which versions an advisory is about, compared by PEP 440.

use pep440_rs::Version;

/// The versions of one package that an advisory is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Affected {
    /// Versions named one by one, each on a line. They are only read for the
    /// few packages of a lock: parsed, a whole index of them takes ten times
    /// the memory.
    pub(super) versions: Box<str>,
    /// What lies between two events.
    pub(super) ranges: Vec<Range>,
}

/// A range as its events, in the order of their versions.
#[derive(Clone, Debug)]
pub(super) struct Range {
    events: Vec<Event>,
}

/// What happens at a version.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Affected from here on; from the very first version without one.
    Introduced(Option<Version>),
    /// Not affected from here on.
    Fixed(Version),
    /// Affected here for the last time.
    LastAffected(Version),
    /// Nothing from here on is said to be affected.
    Limit(Version),
}

/// A locked version, also without its local part.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    full: Version,
    public: Version,
}

impl Candidate {
    pub(super) fn new(version: Version) -> Self {
        Self { public: version.clone().without_local(), full: version }
    }

    /// What is compared with `bound`: `2.0+cu118` is a build of 2.0, and only
    /// a bound that names local parts itself tells the two apart (PEP 440,
    /// "Version matching").
    fn against(&self, bound: &Version) -> &Version {
        if bound.is_local() { &self.full } else { &self.public }
    }
}

impl Affected {
    /// Whether the advisory is about this version: named, or in a range.
    pub(super) fn contains(&self, candidate: &Candidate) -> bool {
        let named = |text: &str| {
            text.parse::<Version>().is_ok_and(|version| *candidate.against(&version) == version)
        };
        self.versions.lines().any(named)
            || self.ranges.iter().any(|range| range.contains(candidate))
    }

    /// The versions after `candidate` that mend it, in no order.
    pub(super) fn fixed_after(&self, candidate: &Candidate) -> impl Iterator<Item = &Version> {
        let events = self.ranges.iter().flat_map(|range| &range.events);
        events.filter_map(|event| match event {
            Event::Fixed(version) if candidate.against(version) < version => Some(version),
            _ => None,
        })
    }
}

impl Range {
    pub(super) fn new(mut events: Vec<Event>) -> Self {
        // The sort is stable: of a version's events, those listed first count
        // first, but for the last affected one, which holds what began there.
        events.sort_by(|one, other| {
            let key = |event: &Event| matches!(event, Event::LastAffected(_));
            one.version().cmp(&other.version()).then_with(|| key(one).cmp(&key(other)))
        });
        Self { events }
    }

    /// The evaluation that the OSV schema describes.
    fn contains(&self, candidate: &Candidate) -> bool {
        let mut affected = false;
        let mut limits = 0;
        let mut below_a_limit = false;
        for event in &self.events {
            match event {
                Event::Introduced(None) => affected = true,
                Event::Introduced(Some(at)) if candidate.against(at) >= at => affected = true,
                Event::Fixed(at) if candidate.against(at) >= at => affected = false,
                Event::LastAffected(at) if candidate.against(at) > at => affected = false,
                Event::Limit(at) => {
                    limits += 1;
                    below_a_limit |= candidate.against(at) < at;
                }
                _ => {}
            }
        }
        affected && (limits == 0 || below_a_limit)
    }
}

impl Event {
    fn version(&self) -> Option<&Version> {
        match self {
            Self::Introduced(version) => version.as_ref(),
            Self::Fixed(version) | Self::LastAffected(version) | Self::Limit(version) => {
                Some(version)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    /// `>a` introduces, `<b` fixes, `=c` is affected for the last time, `!d`
    /// limits.
    fn range(events: &[&str]) -> Range {
        let event = |text: &&str| {
            let at = &text[1..];
            match &text[..1] {
                ">" if at == "0" => Event::Introduced(None),
                ">" => Event::Introduced(Some(version(at))),
                "<" => Event::Fixed(version(at)),
                "=" => Event::LastAffected(version(at)),
                _ => Event::Limit(version(at)),
            }
        };
        Range::new(events.iter().map(event).collect())
    }

    fn about(events: &[&str], candidate: &str) -> bool {
        range(events).contains(&Candidate::new(version(candidate)))
    }

    #[test]
    fn a_range_begins_where_it_is_introduced_and_ends_where_it_is_fixed() {
        for (candidate, expected) in
            [("1.0", false), ("1.1", true), ("1.10", true), ("2.0", false), ("1!0.1", false)]
        {
            assert_eq!(about(&[">1.1", "<2.0"], candidate), expected, "{candidate}");
        }
        assert!(about(&[">1.1"], "99"), "nothing fixed it");
        assert!(!about(&["<2.0"], "1.0"), "nothing introduced it");
        assert!(!about(&[], "1.0"));
        assert!(!about(&[">1.0", "<1.0"], "1.0"), "an empty range");
    }

    #[test]
    fn zero_comes_before_every_version() {
        for candidate in ["0", "0.dev1", "0a1", "0.0.1"] {
            assert!(about(&[">0", "<1"], candidate), "{candidate}");
        }
    }

    #[test]
    fn a_last_affected_version_is_affected_itself() {
        for events in [[">1.0", "=1.4"], ["=1.4", ">1.0"]] {
            assert!(about(&events, "1.4") && about(&events, "1.4.0"));
            assert!(!about(&events, "1.4.1") && !about(&events, "1.4.post1"));
        }
        for events in [[">1.4", "=1.4"], ["=1.4", ">1.4"]] {
            assert!(about(&events, "1.4") && !about(&events, "1.5"), "one version alone");
        }
    }

    #[test]
    fn several_branches_stand_in_one_range_in_any_order() {
        let events = ["<2.3", ">2.0", "<1.8", ">1.0"];
        for (candidate, expected) in
            [("0.9", false), ("1.7", true), ("1.8", false), ("2.0", true), ("2.3", false)]
        {
            assert_eq!(about(&events, candidate), expected, "{candidate}");
        }
        assert!(about(&[">0", "<1.0", ">1.0", "<2.0"], "1.5"), "broken again at once");
    }

    #[test]
    fn pre_releases_come_before_their_release() {
        assert!(about(&[">0", "<2.0"], "2.0rc1") && about(&[">0", "<2.0"], "2.0.dev3"));
        assert!(!about(&[">2.0"], "2.0b2"));
        assert!(!about(&[">0", "<2.0rc1"], "2.0") && about(&[">0", "<2.0rc1"], "2.0b9"));
    }

    #[test]
    fn a_local_version_is_a_build_of_its_public_one() {
        assert!(about(&[">0", "=2.0"], "2.0+cu118"), "the build of an affected version");
        assert!(!about(&[">0", "<2.0"], "2.0+cu118"));
        assert!(about(&[">2.0", "<2.1"], "2.0+cu118"));
        assert!(about(&[">0", "<2.0+sec2"], "2.0+sec1") && about(&[">0", "<2.0+sec2"], "2.0"));
        assert!(!about(&[">0", "<2.0+sec2"], "2.0+sec3"));
    }

    #[test]
    fn a_limit_bounds_what_is_said() {
        assert!(about(&[">0", "!2.0"], "1.9") && !about(&[">0", "!2.0"], "2.0"));
        assert!(about(&[">0", "!2.0", "!3.0"], "2.5"), "the highest limit counts");
    }

    #[test]
    fn named_versions_are_compared_as_versions() {
        let affected =
            Affected { versions: "1.0\nnot a version\n2.0rc1\n3.0+a".into(), ranges: Vec::new() };
        for (candidate, expected) in [
            ("1.0.0", true),
            ("1.0+local", true),
            ("2.0.c1", true),
            ("2.0", false),
            ("3.0", false),
            ("3.0+a", true),
            ("3.0+b", false),
        ] {
            assert_eq!(
                affected.contains(&Candidate::new(version(candidate))),
                expected,
                "{candidate}"
            );
        }
    }

    #[test]
    fn only_later_versions_mend() {
        let affected = Affected {
            versions: "".into(),
            ranges: vec![range(&[">0", "<1.8", ">2.0", "<2.3"]), range(&[">0", "=9"])],
        };
        let after = |candidate: &str| {
            let candidate = Candidate::new(version(candidate));
            let mut fixed: Vec<_> =
                affected.fixed_after(&candidate).map(ToString::to_string).collect();
            fixed.sort();
            fixed
        };
        assert_eq!(after("1.0"), ["1.8", "2.3"]);
        assert_eq!(after("2.1"), ["2.3"]);
        assert!(after("3").is_empty());
    }

    proptest! {
        /// Branches that don't touch are what their bounds say, in whichever
        /// order the events stand.
        #[test]
        fn a_range_is_the_union_of_its_branches(
            mut bounds in prop::collection::btree_set(1_u64..200, 0..10),
            candidate in 0_u64..210,
            closed in any::<bool>(),
            seed in any::<u64>(),
        ) {
            if bounds.len() % 2 == 1 {
                bounds.pop_last();
            }
            let bounds: Vec<u64> = bounds.into_iter().collect();
            let release = |number: u64| Version::new([1, number]);
            let expected = bounds.chunks_exact(2).any(|branch| {
                branch[0] <= candidate
                    && if closed { candidate <= branch[1] } else { candidate < branch[1] }
            });
            let mut events: Vec<Event> = bounds
                .chunks_exact(2)
                .flat_map(|branch| {
                    let end = release(branch[1]);
                    let end = if closed { Event::LastAffected(end) } else { Event::Fixed(end) };
                    [Event::Introduced(Some(release(branch[0]))), end]
                })
                .collect();
            if !events.is_empty() {
                let places = events.len();
                events.rotate_left(usize::try_from(seed % 7).unwrap() % places);
                events.swap(0, usize::try_from(seed % 5).unwrap() % places);
            }
            let found = Range::new(events).contains(&Candidate::new(release(candidate)));
            prop_assert_eq!(found, expected);
        }
    }
}
