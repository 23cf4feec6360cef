//! A process that is killed loses nothing that it acknowledged.

use job_tests::kill::Kills;

use crate::support::{seed, setting};

#[test]
fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let seed = seed();
    println!("seed {seed}");
    let kills = Kills { program: env!("CARGO_BIN_EXE_torture").into(), kills: setting("KILLS", 24), seed };
    println!("{}", kills.run());
}
