//! A unit, another one, and a quantity, a line each.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::prepare(), |bytes: &[u8]| {
    fuzz::within(4 << 20, || domain::units::fuzzing::check(bytes));
});
