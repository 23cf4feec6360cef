#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| job_http::fuzzing::neutral_request(data));
