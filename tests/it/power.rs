//! The promise of each durability about a power cut.

use job_tests::power::Power;

use crate::support::{seed, setting};

fn lives(synced: bool) {
    let seed = seed();
    println!("seed {seed}");
    let (lives, cuts) = (setting("POWER_LIVES", 2), setting("POWER_CUTS", 8));
    let power = Power { program: env!("CARGO_BIN_EXE_torture").into(), synced, lives, cuts, seed };
    if let Some(seen) = power.run() {
        println!("{seen}");
        assert!(seen.cuts > lives && seen.acknowledged > 0);
    }
}

#[test]
fn what_is_acknowledged_as_synced_survives_a_power_cut() {
    lives(true);
}

#[test]
fn a_power_cut_takes_at_most_the_latest_of_what_is_only_buffered() {
    lives(false);
}
