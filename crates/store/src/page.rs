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
