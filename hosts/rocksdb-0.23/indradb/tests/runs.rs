//! Runs the program as a shell does. It fails by itself if a job that was killed does not go on, or leaves other rows.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn jobs_beside_the_database_of_indradb_survive_a_kill() {
    let output = Command::new(env!("CARGO_BIN_EXE_indradb-host")).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let adults = (0..20_000).filter(|vertex| vertex * 7 % 90 >= 18).count();
    assert!(told.contains(&format!("the filter found {adults} vertices")), "{told}");
    assert!(told.contains(r#""data_return_size":2"#), "{told}");
    assert!(told.contains("went on from step 3, and left the same rows"), "{told}");
}
