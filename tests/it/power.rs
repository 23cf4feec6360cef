//! What each durability promises when the power goes.

use job_runner::Durability;
use job_tests::power;

use crate::support::{seed, setting};

fn rounds(durability: Durability) {
    let seed = seed();
    let rounds = u64::from(setting("POWER_ROUNDS", 2));
    let cuts: u64 = (0..rounds).map(|round| power::cuts(durability, seed.wrapping_add(round))).sum();
    println!("seed {seed}, {cuts} power cuts");
    assert!(cuts > rounds);
}

#[test]
fn what_is_acknowledged_as_synced_survives_a_power_cut() {
    rounds(Durability::Synced);
}

#[test]
fn a_power_cut_takes_at_most_the_latest_of_what_is_only_buffered() {
    rounds(Durability::Buffered);
}
