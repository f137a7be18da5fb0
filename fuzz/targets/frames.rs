//! What a run writes into its result pipe.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::prepare(), |bytes: &[u8]| {
    fuzz::within(4 << 20, || sandbox::fuzzing::check(bytes));
});
