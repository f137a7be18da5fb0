//! The `mecapy` program.
fn main() {}
