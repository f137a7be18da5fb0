//! Reads a function archive: bytes in, value or faults out.
