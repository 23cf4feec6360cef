//! Cancelling jobs.

use job_runner::{JobSpec, JobState, Outcome};

use crate::host::service;

#[tokio::test]
async fn a_waiting_job_is_cancelled_once() {
    let service = service();
    let id = service.submit(JobSpec::vertex_filter());
    let answer = service.delete(&format!("/jobs/{id}")).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "{}"));
    let record = service.engine.reader().record(id).unwrap().unwrap();
    assert_eq!(record.state, JobState::Complete(Outcome::Cancelled));
}

#[tokio::test]
async fn what_is_not_there_or_has_ended_cannot_be_cancelled() {
    let service = service();
    let ended = service.run_rows(1).to_string();
    for id in [ended.as_str(), "6-57222f3d", "018bcfe5-6800-7000-8000-000000000000"] {
        let expected = (400, "GES.8303".to_owned(), format!("can not find job to cancel, id is {id}"));
        assert_eq!(service.delete(&format!("/jobs/{id}")).await.error(), expected);
    }
}
