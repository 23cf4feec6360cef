//! The whole engine against a plain model in memory, with faults, crashes and a clock that jumps.

use job_tests::model::{InMemory, OnDisk, Walks};

use crate::support::{seed, setting};

#[test]
fn the_engine_does_what_the_model_says_in_memory() {
    let walks = Walks { walks: setting("MODEL_WALKS", 120), moves: 60, seed: seed() };
    println!("seed {}, {} moves", walks.seed, walks.run::<InMemory>().unwrap_or_else(|parted| panic!("{parted}")));
}

#[test]
fn the_engine_does_what_the_model_says_on_disk() {
    let walks = Walks { walks: setting("MODEL_WALKS", 120).div_ceil(6), moves: 60, seed: seed() };
    println!("seed {}, {} moves", walks.seed, walks.run::<OnDisk>().unwrap_or_else(|parted| panic!("{parted}")));
}
