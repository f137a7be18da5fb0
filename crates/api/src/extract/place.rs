//! Line and column in a text, as people count them.

/// Line and column in characters, both from 1, of a byte offset.
pub(crate) fn of_offset(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[start..].chars().count() + 1;
    (number(line), number(column))
}

/// Line and column of an error of `serde_json`, which counts columns in bytes
/// and points at the last byte it read.
pub(crate) fn of_error(text: &str, error: &serde_json::Error) -> (u32, u32) {
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let read = error.column().saturating_sub(1).min(line.len());
    let column = line.char_indices().take_while(|(at, _)| *at < read).count() + 1;
    (number(error.line().max(1)), number(column))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        assert_eq!(of_offset("", 0), (1, 1));
        assert_eq!(of_offset("é{\n à b", "é{\n à ".len()), (2, 4));
        assert_eq!(of_offset("ab", 9), (1, 3));
    }
}
