#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| job_http::fuzzing::sync_request(data));
