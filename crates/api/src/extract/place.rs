//! Line and column in a text, as people count them.

use std::cell::Cell;

/// Line and column in characters, both from 1, of a byte offset.
pub(crate) fn of_offset(text: &str, offset: usize) -> (u32, u32) {
    Places::of(text).at(offset.min(text.len()))
}

/// Places in one text, told one after another: each search goes on where the
/// last one ended, as a text may be long and have many places.
#[derive(Debug)]
pub(crate) struct Places<'t> {
    text: &'t str,
    /// Byte offset, line and column of the last place.
    last: Cell<(usize, usize, usize)>,
}

impl<'t> Places<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self { text, last: Cell::new((0, 1, 1)) }
    }

    /// Line and column in characters, both from 1, of a byte offset.
    pub(crate) fn at(&self, offset: usize) -> (u32, u32) {
        let last = self.last.get();
        let (from, line, column) = if last.0 <= offset { last } else { (0, 1, 1) };
        let between = self.text.get(from..offset).unwrap_or_default();
        let lines = between.bytes().filter(|byte| *byte == b'\n').count();
        let (line, column) = match between.rfind('\n') {
            Some(newline) => (line + lines, between[newline + 1..].chars().count() + 1),
            None => (line, column + between.chars().count()),
        };
        self.last.set((offset, line, column));
        (number(line), number(column))
    }
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
        let places = Places::of("é{\n à b\nc");
        let told = [2, 7, 10, 8, 2].map(|at| places.at(at));
        assert_eq!(told, [(1, 2), (2, 3), (3, 1), (2, 4), (1, 2)]);
    }
}
