//! Linux isolation and the Python runner.
