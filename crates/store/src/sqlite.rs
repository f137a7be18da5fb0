//! SQLite: one writer thread that commits in groups, readers beside it.
