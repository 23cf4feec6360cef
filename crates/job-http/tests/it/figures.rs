//! The figures of the process: for people and for Prometheus.

use axum::{
    body::Body,
    http::{Request, header, request::Parts},
};
use job_http::{Action, Api, Denied};
use job_runner::JobSpec;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

use crate::host::{Answer, Service, service, with};

async fn get(service: &Service, path: &str) -> Answer {
    service.send(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn the_figures_are_of_now_and_of_the_last_minutes() {
    let service = service();
    let empty = get(&service, "/figures").await.json();
    assert_eq!((&empty["shared"], &empty["waiting"], &empty["running"]), (&json!(false), &json!(0), &json!(0)));
    assert_eq!((&empty["waitP50"], &empty["every"]), (&Value::Null, &json!(10_000)));
    service.run_rows(1);
    service.submit(JobSpec::vertex_filter());
    service.submit(JobSpec::algorithm("unheard_of"));
    let figures = get(&service, "/figures").await.json();
    assert_eq!((&figures["waiting"], &figures["waitP99"]), (&json!(2), &json!(0)));
    let now = json!([{
        "at": 1_716_458_040_000_u64, "waiting": 2, "running": 0, "starts": 1, "waitP50": 0, "waitP99": 0
    }]);
    assert_eq!(figures["samples"], now);
}

#[tokio::test]
async fn the_metrics_are_the_text_of_the_recorder_that_the_host_gives() {
    assert_eq!(get(&service(), "/metrics").await.status, 404);
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let service = metrics::with_local_recorder(&recorder, || {
        let service = with(|api| api.metrics(move || handle.render()));
        service.run_rows(3);
        service
    });
    let answer = get(&service, "/metrics").await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "# HELP jobs_submitted_total new jobs",
        "# TYPE jobs_submitted_total counter",
        "jobs_submitted_total 1",
        "job_rows_written_total 3",
        r#"jobs_started_total{class="read"} 1"#,
        r#"jobs_ended_total{class="read",ending="succeeded"} 1"#,
    ] {
        assert!(answer.body.lines().any(|found| found == line), "{line}\n{}", answer.body);
    }
}

#[tokio::test]
async fn a_recorder_that_panics_costs_its_answer_only() {
    let service = with(|api| api.metrics(|| std::panic::panic_any("the recorder of a host may")));
    for _ in 0..3 {
        assert_eq!(get(&service, "/metrics").await.status, 500);
    }
    assert_eq!(get(&service, "/health").await.status, 200);
}

#[tokio::test]
async fn an_authorizer_is_asked_about_the_figures() {
    let observer = |request: &Parts, project: &str, action: Action| match request.headers.get("X-Auth-Token") {
        Some(_) if action == Action::Observe && project.is_empty() => Ok(()),
        _ => Err(Denied::Forbidden("this token may not do that".to_owned())),
    };
    let service = with(|api: Api| api.metrics(String::new).authorizer(observer));
    for path in ["/figures", "/metrics"] {
        assert_eq!(get(&service, path).await.status, 403, "{path}");
        let request = Request::get(path).header("X-Auth-Token", "observer").body(Body::empty()).unwrap();
        assert_eq!(service.send(request).await.status, 200, "{path}");
    }
}
