//! Objects that are written as changes to another: `gitformat-pack`.

use crate::Error;
use crate::error::Bound;

/// What `delta` makes of `base`, `limit_bytes` at most.
pub(crate) fn apply<'a>(
    base: &'a [u8],
    mut delta: &'a [u8],
    limit_bytes: u64,
) -> Result<Vec<u8>, Error> {
    let broken = || Error::Broken("a change to an object can't be applied".to_owned());
    let from = size(&mut delta).ok_or_else(broken)?;
    let to = size(&mut delta).ok_or_else(broken)?;
    if from != base.len() as u64 {
        return Err(broken());
    }
    Bound::Object.check(to, limit_bytes)?;
    let to = usize::try_from(to).map_err(|_| broken())?;
    let mut made = Vec::with_capacity(to);
    while !delta.is_empty() {
        let piece = piece(base, &mut delta).ok_or_else(broken)?;
        if piece.len() > to - made.len() {
            return Err(broken());
        }
        made.extend_from_slice(piece);
    }
    if made.len() == to { Ok(made) } else { Err(broken()) }
}

/// Seven bits a byte, the lowest first, while the eighth is set.
fn size(delta: &mut &[u8]) -> Option<u64> {
    let mut size = 0;
    for shift in (0..56).step_by(7) {
        let byte = take(delta)?;
        size |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(size);
        }
    }
    None
}

/// What one instruction adds: a piece of the base, or bytes of its own.
fn piece<'a>(base: &'a [u8], delta: &mut &'a [u8]) -> Option<&'a [u8]> {
    let word = take(delta)?;
    if word & 0x80 == 0 {
        let (piece, rest) = delta.split_at_checked(usize::from(word))?;
        *delta = rest;
        return (word != 0).then_some(piece);
    }
    let mut number = |bits: std::ops::Range<u32>| {
        let first = bits.start;
        bits.filter(|bit| word >> bit & 1 == 1).try_fold(0, |number, bit| {
            Some(number | usize::from(take(delta)?) << (8 * (bit - first)))
        })
    };
    let (from, bytes) = (number(0..4)?, number(4..7)?);
    let bytes = if bytes == 0 { 0x1_0000 } else { bytes };
    base.get(from..from.checked_add(bytes)?)
}

fn take(delta: &mut &[u8]) -> Option<u8> {
    let (first, rest) = delta.split_first()?;
    *delta = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_the_base_and_new_bytes_make_an_object() {
        // 4 bytes from 1, then "-x", then 2 bytes from 0.
        let delta = [6, 8, 0x91, 1, 4, 2, b'-', b'x', 0x90, 2];
        assert_eq!(apply(b"abcdef", &delta, 100).unwrap(), b"bcde-xab");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for delta in [
            &[][..],
            &[6],
            // Another base, a piece beyond it, more and less than promised, an
            // instruction that is none, and ones that break off.
            &[5, 1, 0x90, 1],
            &[6, 4, 0x91, 4, 4],
            &[6, 1, 0x90, 2],
            &[6, 3, 0x90, 2],
            &[6, 1, 0],
            &[6, 2, 2, b'x'],
            &[6, 2, 0x91],
            &[0xff; 12],
        ] {
            assert!(matches!(apply(b"abcdef", delta, 100), Err(Error::Broken(_))), "{delta:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_made() {
        // A petabyte, said to come of six bytes.
        let delta = [6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0x90, 2];
        let error = apply(b"abcdef", &delta, 1000).unwrap_err();
        assert_eq!(error, Error::TooLarge { bound: Bound::Object, limit: 1000 });
    }
}
