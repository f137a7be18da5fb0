//! The text of `mecapy.yaml` or `pyproject.toml`.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::prepare(), |bytes: &[u8]| {
    fuzz::within(32 << 20, || package::fuzzing::manifest(bytes));
});
