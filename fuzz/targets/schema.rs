//! A JSON Schema, a line `---`, and inputs.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::prepare(), |bytes: &[u8]| {
    fuzz::within(128 << 20, || package::fuzzing::schema(bytes));
});
