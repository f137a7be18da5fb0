//! Objects of a repository, and the names that their content gives them.

use std::fmt;

use crate::Error;

/// The digits of an object's name.
const DIGITS: usize = 40;

/// The name of an object: SHA-1 of what it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id(pub(crate) [u8; 20]);

impl Id {
    /// From the 40 digits that people and protocols write.
    pub(crate) fn of_digits(digits: &[u8]) -> Option<Self> {
        if digits.len() != DIGITS {
            return None;
        }
        let mut id = [0; 20];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok()?;
        }
        Some(Self(id))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }
}

/// Finds the name of an object while its content goes by. Content made so
/// that another has the same name is refused, as Git itself does.
pub(crate) struct Naming(sha1dc::Hasher);

impl Naming {
    pub(crate) fn begin(kind: Kind, bytes: u64) -> Self {
        let mut hasher = sha1dc::Hasher::new();
        hasher.update(format!("{} {bytes}\0", kind.word()).as_bytes());
        Self(hasher)
    }

    /// Of bytes that are no object, such as a whole pack.
    pub(crate) fn plain() -> Self {
        Self(sha1dc::Hasher::new())
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn end(self) -> Result<Id, Error> {
        let forged = |_| Error::Broken("an object is made to collide with another".to_owned());
        Ok(Id(self.0.finalize().map_err(forged)?.into()))
    }
}

/// The tree of a commit.
pub(crate) fn tree_of_commit(commit: &[u8]) -> Option<Id> {
    field(commit, b"tree ")
}

/// What a tag is of.
pub(crate) fn target_of_tag(tag: &[u8]) -> Option<Id> {
    field(tag, b"object ")
}

/// The name in the first line, which is the only one that is read.
fn field(object: &[u8], name: &[u8]) -> Option<Id> {
    let line = object.strip_prefix(name)?;
    let end = line.iter().position(|byte| *byte == b'\n')?;
    Id::of_digits(&line[..end])
}

/// An entry of a tree, as it is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Octal: what it is, and who may do what with it.
    pub(crate) mode: u32,
    pub(crate) name: &'a [u8],
    pub(crate) id: Id,
}

/// The entries of a tree: `mode name\0` and the twenty bytes of a name each.
pub(crate) fn entries(mut tree: &[u8]) -> impl Iterator<Item = Option<Entry<'_>>> {
    std::iter::from_fn(move || {
        if tree.is_empty() {
            return None;
        }
        let entry = entry(tree);
        tree = entry.map_or(&[], |(_, rest)| rest);
        Some(entry.map(|(entry, _)| entry))
    })
}

fn entry(tree: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let space = tree.iter().take(8).position(|byte| *byte == b' ')?;
    let mode = std::str::from_utf8(&tree[..space]).ok()?;
    let mode = u32::from_str_radix(mode, 8).ok()?;
    let rest = &tree[space + 1..];
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (id, after) = rest[end + 1..].split_first_chunk::<20>()?;
    Some((Entry { mode, name: &rest[..end], id: Id(*id) }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_git() {
        let mut naming = Naming::begin(Kind::Blob, 6);
        naming.add(b"hel");
        naming.add(b"lo\n");
        let id = naming.end().unwrap();
        assert_eq!(id.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(Id::of_digits(id.to_string().as_bytes()), Some(id));
        for digits in ["", "ce01", &"g".repeat(40), &"é".repeat(20)] {
            assert_eq!(Id::of_digits(digits.as_bytes()), None, "{digits}");
        }
    }

    #[test]
    fn a_tree_is_read_entry_by_entry_and_a_broken_one_ends_so() {
        let mut tree = b"100644 a.py\0".to_vec();
        tree.extend([7; 20]);
        tree.extend(b"40000 b\0");
        tree.extend([8; 20]);
        let read: Vec<_> = entries(&tree).map(Option::unwrap).collect();
        assert_eq!(read[0], Entry { mode: 0o100_644, name: b"a.py", id: Id([7; 20]) });
        assert_eq!(read[1], Entry { mode: 0o40_000, name: b"b", id: Id([8; 20]) });
        assert!(entries(&tree[..tree.len() - 1]).any(|entry| entry.is_none()));
        assert_eq!(entries(b"rwxrwxrwx nonsense").collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn a_commit_and_a_tag_name_what_they_are_of_in_their_first_line() {
        let digits = "ce013625030ba8dba906f756967f9e9ca394464a";
        let id = Id::of_digits(digits.as_bytes());
        assert_eq!(tree_of_commit(format!("tree {digits}\nauthor x\n").as_bytes()), id);
        assert_eq!(target_of_tag(format!("object {digits}\ntype tag\n").as_bytes()), id);
        assert_eq!(tree_of_commit(b"author x\ntree"), None);
    }
}
