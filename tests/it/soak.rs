//! Submits, reads, cancels and removes at once, for a few seconds. `torture soak --minutes 60` is the long form.

use std::time::Duration;

use job_tests::soak::Soak;

use crate::support::{seed, setting};

#[test]
fn many_at_once_see_only_right_pages_and_nothing_grows() {
    let seed = seed();
    let seconds = u64::from(setting("SOAK_SECONDS", 5));
    let soaked = Soak { time: Duration::from_secs(seconds), seed, kept: 200 }.run();
    println!("seed {seed}, {soaked}");
    assert_eq!(soaked.unfinished, 0, "jobs are stuck");
    soaked.assert_flat();
    assert!(soaked.pages > 0 && soaked.jobs > 0);
}
