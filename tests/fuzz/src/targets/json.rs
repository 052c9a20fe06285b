#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ahoy_fuzz::write_seeds("json"),
    |bytes: &[u8]| ahoy_fuzz::json(bytes)
);
