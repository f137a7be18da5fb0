//! Objects (archives, large results, artifacts) in a directory.
