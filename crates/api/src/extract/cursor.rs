//! Cursors as callers see them: opaque, checked, and no place to guess from.

use engine::store::Cursor;
use uuid::Uuid;

/// Marks the form, so that a later one can be told apart.
const FORM: &str = "p1";

/// The text of a cursor: the form, the id's digits, and a check that catches
/// what was cut or typed by hand.
pub(crate) fn write(cursor: Cursor) -> String {
    let id = cursor.0.simple().to_string();
    let check = check(&id);
    format!("{FORM}{id}{check:04x}")
}

/// Reads a cursor's text; `None` for anything that [`write()`] did not write.
pub(crate) fn read(text: &str) -> Option<Cursor> {
    let rest = text.strip_prefix(FORM).filter(|rest| rest.len() == 36 && rest.is_ascii())?;
    let (id, sum) = rest.split_at(32);
    let cursor = Cursor(Uuid::try_parse(id).ok()?);
    (u16::from_str_radix(sum, 16).ok()? == check(id) && write(cursor) == text).then_some(cursor)
}

/// Fletcher's checksum (RFC 1146, 8-bit form).
fn check(text: &str) -> u16 {
    let (low, high) = text.bytes().fold((0_u16, 0_u16), |(low, high), byte| {
        let low = (low + u16::from(byte)) % 255;
        (low, (high + low) % 255)
    });
    high << 8 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is() {
        let cursor = Cursor(Uuid::from_u128(0x0192_f3a4_5b6c_7d8e_9fa0_b1c2_d3e4_f506));
        let text = write(cursor);
        assert_eq!(read(&text), Some(cursor));
        let mut changed = text.clone().into_bytes();
        changed[5] ^= 1;
        for wrong in ["", "p1", &text[1..], &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(std::str::from_utf8(&changed).unwrap()), None);
    }
}
