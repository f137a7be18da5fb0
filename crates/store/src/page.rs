//! Pages of a listing, newest first, and the cursor to the next.

use uuid::Uuid;

/// Where the next page starts: after the item with this id. Ids are UUIDv7,
/// so their order is that of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub Uuid);

/// A page of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<Cursor>,
}

/// The page of `found`, which was read up to one item past `limit` to learn
/// whether there is a next one.
pub(crate) fn paged<T>(mut found: Vec<T>, limit: u32, id: impl Fn(&T) -> Uuid) -> Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| Cursor(id(last)));
    Page { items: found, next }
}
