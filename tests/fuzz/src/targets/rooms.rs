#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ahoy_fuzz::write_seeds("rooms"),
    |bytes: &[u8]| ahoy_fuzz::rooms(bytes)
);
