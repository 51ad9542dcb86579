#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bonafide_fuzz::run(bonafide_fuzz::scores, data));
