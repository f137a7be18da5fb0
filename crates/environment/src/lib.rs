//! Locks and builds Python environments with uv, by content hash.
