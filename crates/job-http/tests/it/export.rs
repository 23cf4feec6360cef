//! Results as files.

use std::{path::Path, sync::Arc};

use job_http::{Api, Exporter};
use job_runner::{
    JobContext, JobId, JobSpec,
    store::{MemoryStore, Store},
};
use serde_json::{Value, json};

use crate::host::{Service, builder, over};

fn exporting(directory: &Path) -> Service {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let engine = builder(Arc::clone(&store))
        .algorithm(Exporter::KIND, Exporter::new(store, directory))
        .algorithm("louvain", |ctx: &mut JobContext| {
            ctx.set_output("modularity", &0.42)?;
            let mut rows = ctx.rows("community")?;
            [("a", "1"), ("b,c", "1")].iter().try_for_each(|(id, value)| rows.push(&json!({*id: value})))
        })
        .algorithm("formulas", |ctx: &mut JobContext| ctx.rows("cells")?.push(&json!(["=1+1", -1])))
        .open()
        .unwrap();
    over(Arc::new(engine), Api::exports)
}

async fn export(service: &Service, id: JobId, body: Value) -> Value {
    let answer = service.post(&format!("/jobs/{id}/action?action_id=export-result"), body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json().as_object().unwrap().len(), 1, "an export has a job id and no type");
    service.engine.driver().run_until_idle();
    service.get(&format!("/jobs/{}/status", answer.json()["jobId"].as_str().unwrap())).await.json()
}

#[tokio::test]
async fn a_result_becomes_a_file_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let service = exporting(directory.path());
    let id = service.run(JobSpec::algorithm("louvain"));
    let done = export(&service, id, json!({"exportPath": "out/today", "obsParameters": {"accessKey": "k"}})).await;
    let file = format!("out/today/{id}.csv");
    assert_eq!(done["data"]["outputs"], json!({"file": file, "rows": 2, "bytes": 65}));
    assert_eq!(
        std::fs::read_to_string(directory.path().join(&file)).unwrap(),
        "# modularity: 0.42\n# data_total_size: 2\n# community:\na,1\n\"b,c\",1\n"
    );
    let lines = export(&service, id, json!({"fileName": "rows.jsonl", "format": "jsonl"})).await;
    assert_eq!(lines["data"]["outputs"]["rows"], 2);
    let text = std::fs::read_to_string(directory.path().join("rows.jsonl")).unwrap();
    assert_eq!(text, "{\"a\":\"1\"}\n{\"b,c\":\"1\"}\n");
    assert_eq!(service.status(id, "").await.status, 200, "the exported job is still there");
    let list = service.get("/jobs/status").await;
    assert!(!list.body.contains("accessKey"), "credentials are not kept");
    assert_eq!(list.json()["jobs"][0]["taskType"], "ExportResult");
}

#[tokio::test]
async fn a_job_is_erased_only_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let service = exporting(directory.path());
    let id = service.run_rows(25_000);
    let done = export(&service, id, json!({"format": "jsonl", "erase": true})).await;
    assert_eq!(done["data"]["outputs"]["rows"], 25_000);
    let text = std::fs::read_to_string(directory.path().join(format!("{id}.jsonl"))).unwrap();
    assert_eq!(text.lines().count(), 25_000);
    assert_eq!(serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap(), crate::host::row(24_999));
    assert_eq!(service.status(id, "").await.error().1, "GES.8301");
}

#[tokio::test]
async fn formulas_become_texts_when_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let service = exporting(directory.path());
    let id = service.run(JobSpec::algorithm("formulas"));
    for (guard, row) in [(false, "=1+1,-1\n"), (true, "'=1+1,-1\n")] {
        let name = format!("{guard}.csv");
        export(&service, id, json!({"fileName": name, "guardFormulas": guard})).await;
        let text = std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(text.ends_with(row), "{text}");
    }
}

#[tokio::test]
async fn a_file_is_never_replaced_by_another_job() {
    let directory = tempfile::tempdir().unwrap();
    let service = exporting(directory.path());
    let id = service.run_rows(1);
    export(&service, id, json!({"fileName": "a.csv"})).await;
    let again = export(&service, id, json!({"fileName": "a.csv", "erase": true})).await;
    let message = again["errorMessage"].as_str().unwrap();
    assert!(message.contains("file a.csv cannot be written: a file of this name exists"), "{message}");
    assert_eq!(service.status(id, "").await.status, 200, "nothing was erased");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let service = exporting(directory.path());
    let (done, waiting) = (service.run_rows(1), service.submit(JobSpec::vertex_filter()));
    for (id, body, code) in [
        (waiting.to_string(), "{}", "GES.8011"),
        ("1".to_owned(), "{}", "GES.8301"),
        (done.to_string(), "", "GES.8011"),
        (done.to_string(), r#"{"exportPath":"../up"}"#, "GES.8011"),
        (done.to_string(), r#"{"fileName":"/etc/passwd"}"#, "GES.8011"),
        (done.to_string(), r#"{"exportPath":".ssh","fileName":"authorized_keys"}"#, "GES.8011"),
        (done.to_string(), r#"{"exportPath":"a/./b"}"#, "GES.8011"),
        (done.to_string(), r#"{"fileName":"a\u001b[2J"}"#, "GES.8011"),
        (done.to_string(), r#"{"fileName":"gpj.\u202evsc"}"#, "GES.8011"),
        (done.to_string(), r#"{"fileName":" "}"#, "GES.8011"),
        (done.to_string(), r#"{"format":"xml"}"#, "GES.8011"),
        (done.to_string(), r#"{"paginate":{"enable":true}}"#, "GES.8011"),
        (done.to_string(), r#"["","x.csv","csv",true]"#, "GES.8011"),
        (done.to_string(), r#"{"paginate":[false]}"#, "GES.8011"),
        (done.to_string(), r#"{"erase":false,"erase":true}"#, "GES.8011"),
        (done.to_string(), r#"{"obsParameters":{"a":1,"a":2}}"#, "GES.8011"),
        (done.to_string(), r#"{"erase":"true"}"#, "GES.8011"),
    ] {
        let answer = service.post(&format!("/jobs/{id}/action?action_id=export-result"), body).await;
        assert_eq!((answer.error().0, answer.error().1.as_str()), (400, code), "{body}");
        assert!(
            !["struct", "expected", "variant"].iter().any(|word| answer.body.contains(word)),
            "{}",
            answer.body
        );
    }
    service.engine.driver().run_until_idle();
    assert_eq!(service.status(done, "").await.status, 200, "nothing was erased");
    let nulls = r#"{"exportPath":null,"fileName":null,"format":null,"erase":null,"paginate":null}"#;
    assert_eq!(service.post(&format!("/jobs/{done}/action?action_id=export-result"), nulls).await.status, 200);
    let without = crate::host::service();
    let id = without.run_rows(1);
    assert_eq!(without.post(&format!("/jobs/{id}/action?action_id=export-result"), "{}").await.status, 404);
}

/// A host may submit an export without the API.
#[tokio::test]
async fn a_job_that_names_a_place_outside_fails() {
    let root = tempfile::tempdir().unwrap();
    let service = exporting(&root.path().join("exports"));
    let source = service.run_rows(1);
    for path in ["../a.csv", "/etc/a.csv", "a/../../b.csv", ".ssh/a", "a//b", ""] {
        let parameters = json!({"source": source, "path": path, "format": "csv", "erase": true});
        let id = service.run(JobSpec::algorithm(Exporter::KIND).with_parameters(&parameters).unwrap());
        let told = service.status(id, "").await.error().2;
        assert!(told.contains("choose another name"), "{path:?}: {told}");
    }
    assert_eq!(service.status(source, "").await.status, 200, "nothing was erased");
    assert!(!root.path().join("a.csv").exists() && !root.path().join("exports").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_the_directory_leads_nowhere() {
    use std::os::unix::fs::symlink;

    let root = tempfile::tempdir().unwrap();
    let (outside, exports) = (root.path().join("outside"), root.path().join("exports"));
    std::fs::create_dir_all(outside.join("deep")).unwrap();
    std::fs::create_dir_all(exports.join("real")).unwrap();
    symlink(&outside, exports.join("out")).unwrap();
    symlink("../outside", exports.join("relative")).unwrap();
    symlink("real", exports.join("inside")).unwrap();
    symlink(outside.join("a.csv"), exports.join("a.csv")).unwrap();
    symlink(outside.join("b.csv"), exports.join("real/b.csv")).unwrap();
    let service = exporting(&exports);
    let id = service.run_rows(1);
    for (path, file, reason) in [
        ("out", "a.csv", "a link is not followed"),
        ("out/deep", "a.csv", "a link is not followed"),
        ("relative", "a.csv", "a link is not followed"),
        ("inside", "a.csv", "a link is not followed"),
        ("", "a.csv", "a file of this name exists"),
        ("real", "b.csv", "a file of this name exists"),
    ] {
        let refused = export(&service, id, json!({"exportPath": path, "fileName": file})).await;
        let message = refused["errorMessage"].as_str().unwrap();
        assert!(message.contains(reason), "{path}/{file}: {message}");
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "only the directory that was there");
    assert_eq!(std::fs::read_dir(outside.join("deep")).unwrap().count(), 0);
    let done = export(&service, id, json!({"exportPath": "real", "fileName": "c.csv"})).await;
    assert_eq!(done["data"]["outputs"]["file"], "real/c.csv");
}
