//! Only a job that dies alone is blamed, tested with processes that die.

use job_tests::bystander;
use test_servers::Postgres;

/// The job must not end as "the process died while it ran (attempt 3 of 3)".
#[test]
fn jobs_beside_one_that_kills_its_process_every_time_succeed() {
    let deaths = bystander::alone(env!("CARGO_BIN_EXE_torture").as_ref());
    assert_eq!(deaths, 4, "all of them together once, then the killer by itself");
}

#[test]
fn jobs_of_a_cluster_beside_one_that_kills_its_processes_succeed() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let deaths = bystander::sharing(env!("CARGO_BIN_EXE_torture").as_ref(), &server.url());
    assert_eq!(deaths, 4, "all of them together once, then the killer by itself");
}
