#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| job_store::fuzzing::packed_block(data));
