//! The bytes of a ZIP.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::prepare(), |bytes: &[u8]| {
    fuzz::within(16 << 20, || package::fuzzing::archive(bytes));
});
