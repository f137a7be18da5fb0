//! What a Git server sends: packet lines, packs, changes and trees.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::prepare(), |bytes: &[u8]| {
    fuzz::within(4 << 20, || git::fuzzing::git(bytes));
});
