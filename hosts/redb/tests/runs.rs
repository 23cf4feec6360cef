//! Runs the program as a shell does.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{path::Path, process::Command};

fn run(file: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_redb-host")).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_page_of_rows_is_shown_and_jobs_stay_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("jobs.redb");
    let adults = (0..100_000_u32).filter(|number| number * 7 % 90 >= 18).count();
    let first = run(&file);
    assert!(first.contains(&format!("succeeded with {adults} rows")), "{first}");
    assert!(first.contains(r#""data_return_size":3,"data_offset":50000"#), "{first}");
    assert!(first.contains("the file has 1 jobs"), "{first}");
    assert!(run(&file).contains("the file has 2 jobs"));
}
