//! What a person who misspelt a word probably meant.

/// The known word nearest to `word`, where one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(word);
    let allowed = match wanted.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| {
            let candidate = plain(candidate);
            // `max` for `maximum` and `requirement` for `requirements`.
            let starts = wanted.len() >= 4
                && (candidate.starts_with(&wanted) || wanted.starts_with(&candidate));
            *distance <= allowed || (starts && candidate.len() >= 4)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised_and_other_words_are_not() {
        let known = ["timeout", "memory_limit", "name", "requirements"];
        assert_eq!(nearest("timeOut", known), Some("timeout"));
        assert_eq!(nearest("memorylimit", known), Some("memory_limit"));
        assert_eq!(nearest("memory-limt", known), Some("memory_limit"));
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("requirement", known), Some("requirements"));
        assert_eq!(nearest("colour", known), None);
    }
}
