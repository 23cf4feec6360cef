//! Actions and lookups of the host: a query language, work on a whole graph, indices, a summary.

use std::{collections::BTreeMap, sync::Arc};

use axum::{body::Body, http::Request};
use job_http::{Api, ApiFailure, Asked, Dialect, Graph, HostAction, HostLookup, Modes};
use job_runner::{
    Engine, EngineBuilder, JobContext, JobError, JobFilter, JobKind, JobSpec, PageRequest,
    store::{MemoryStore, Store},
    wire::Form,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::host::{Service, builder, over, row};

/// A stand-in for a query language. Its one sentence is `RETURN n LIMIT k`.
fn rows_of(statement: &str) -> Result<u64, String> {
    let number = statement.strip_prefix("RETURN n LIMIT ").and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("the statement is {statement:?}: it must be RETURN n LIMIT and a number"))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    statement: String,
    #[serde(skip_serializing)]
    execution_mode: Option<String>,
}

/// The body of a query: `{"statements": [{"statement": ..., "executionMode": ...}]}`.
fn query(name: &'static str) -> impl Fn(&Graph, &str) -> Result<Asked, ApiFailure> + Send + Sync {
    #[derive(Deserialize)]
    struct Body {
        statements: Vec<Statement>,
    }
    move |_, body| {
        let refused = |why: String| ApiFailure::new("GES.8902", why);
        let body: Body = serde_json::from_str(body).map_err(|error| refused(error.to_string()))?;
        let [statement] = &*body.statements else { return Err(refused("there is not one statement".to_owned())) };
        rows_of(&statement.statement).map_err(refused)?;
        let spec = JobSpec::action(name).with_parameters(statement).map_err(|error| refused(error.to_string()))?;
        Ok(Asked::new(spec).mode(statement.execution_mode.as_deref()))
    }
}

fn run_query(ctx: &mut JobContext) -> Result<(), JobError> {
    let statement: Statement = ctx.spec().parameters().read()?;
    let number = rows_of(&statement.statement).map_err(JobError::failed)?;
    ctx.set_output("columns", &["n"])?;
    let mut rows = ctx.rows("data")?;
    (0..number).try_for_each(|n| rows.push(&json!({"row": [row(n)], "meta": [null]})))
}

fn language(name: &'static str, id: &'static str) -> HostAction {
    let action = HostAction::new(id).kind(name).code("GES.8902").read(query(name)).form(Form::Rows);
    action.modes(Modes::SyncFirst).summary("Runs a query.")
}

fn engine(store: Arc<dyn Store>) -> EngineBuilder {
    builder(store)
        .action("cypher", run_query)
        .action("gql", run_query)
        .action("clear-graph", |ctx: &mut JobContext| Ok(ctx.set_output("removed", &160)?))
        .action("create-index", |_: &mut JobContext| Ok(()))
}

fn summary(_: &Graph, query: &BTreeMap<String, String>) -> Result<Value, ApiFailure> {
    match query.get("label_details").map(String::as_str) {
        None | Some("false") => Ok(json!({"vertexNum": 160, "edgeNum": 1_545})),
        Some(other) => {
            Err(ApiFailure::new("GES.8001", format!("parameter label_details is {other}: it must be false")))
        }
    }
}

fn registered(api: Api) -> Api {
    api.action(language("cypher", "execute-cypher-query"))
        .action(language("gql", "execute-gql-query"))
        .action(HostAction::new("clear-graph").code("GES.8012").summary("Removes every vertex and edge."))
        .action(HostAction::new("create-index").at("indices").without_id().code("GES.8603"))
        .lookup(
            HostLookup::new("summary", summary).parameter("label_details").summary("Counts vertices and edges."),
        )
}

fn service() -> Service {
    over(Arc::new(engine(Arc::new(MemoryStore::default())).open().unwrap()), registered)
}

const CYPHER: &str = "/action?action_id=execute-cypher-query";
const ASYNC: &str = r#"{"statements":[{"statement":"RETURN n LIMIT 3","executionMode":"async"}]}"#;

#[tokio::test]
async fn a_query_is_a_job_whose_id_is_in_the_first_result() {
    for (dialect, columns) in
        [(Dialect::Document, json!(["jobId", "jobType"])), (Dialect::Database, json!(["jobId"]))]
    {
        let engine = Arc::new(engine(Arc::new(MemoryStore::default())).open().unwrap());
        let service = over(engine, |api| registered(api).dialect(dialect));
        for (path, kind) in [(CYPHER, "cypher"), ("/action?action_id=execute-gql-query", "gql")] {
            let answer = service.post(path, ASYNC).await;
            let result = &answer.json()["results"][0];
            let id = result["jobId"].as_str().unwrap().to_owned();
            assert_eq!((answer.status.as_u16(), &result["columns"]), (200, &columns));
            assert_eq!(result["data"][0]["row"][0], id);
            assert_eq!(answer.json()["errors"], json!([]));
            assert_eq!(result["jobType"].is_null(), dialect == Dialect::Database);
            service.engine.driver().run_until_idle();
            let answer = service.get(&format!("/jobs/{id}/status?offset=1&limit=1")).await.json();
            let outputs = &answer["data"]["outputs"];
            assert_eq!((&answer["status"], &outputs["columns"]), (&json!("complete"), &json!(["n"])));
            assert_eq!((&outputs["data_total_size"], &outputs["data"][0]["row"][0]), (&json!(3), &row(1)));
            let record = service.engine.job(id.parse().unwrap()).unwrap().unwrap().record();
            assert_eq!(
                (record.spec.kind().to_string(), record.spec.graph()),
                (format!("action:{kind}"), "demo/movies")
            );
        }
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_run_is_refused_in_its_own_form() {
    let service = service();
    for (body, message) in [
        (r#"{"statements":[]}"#, "there is not one statement"),
        (
            r#"{"statements":[{"statement":"MATCH"}]}"#,
            r#"the statement is "MATCH": it must be RETURN n LIMIT and a number"#,
        ),
        (
            r#"{"statements":[{"statement":"RETURN n LIMIT 1","executionMode":"now"}]}"#,
            "executionMode is not correct, it should be sync or async",
        ),
    ] {
        let answer = service.post(CYPHER, body).await;
        let expected = json!({"results": [], "errors": [{"code": "GES.8902", "message": message}]});
        assert_eq!((answer.status.as_u16(), answer.json()), (400, expected), "{body}");
    }
    let nowhere = Request::post(format!("/ges/v1.0/demo/graphs/films{CYPHER}")).body(Body::from(ASYNC)).unwrap();
    let answer = service.send(nowhere).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["errors"][0]["message"]),
        (400, &json!("graph [films] is not found"))
    );
    assert_eq!(service.get("/jobs/status").await.body, r#"{"jobs":[]}"#);
}

#[tokio::test]
async fn an_action_takes_its_whole_body_and_is_listed_with_its_name() {
    let service = service();
    for (path, body, kind, task) in [
        ("/action?action_id=clear-graph", "{}", "clear-graph", "ClearGraph"),
        ("/indices", r#"{"indexName":"age", "type": [1.50]}"#, "create-index", "CreateIndex"),
    ] {
        let answer =
            service.post(&format!("{path}{}owner=Sarah", if path.contains('?') { '&' } else { '?' }), body).await;
        let id = answer.json()["jobId"].as_str().unwrap().to_owned();
        let listed = service.get(&format!("/jobs/status?kind=action:{kind}")).await.json();
        let job = &listed["jobs"][0];
        assert_eq!(
            (&job["jobId"], &job["taskType"], &job["rawRequest"]),
            (&json!(id), &json!(task), &json!(body))
        );
        assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
        assert_eq!(service.get(&format!("/jobs/{id}/explain")).await.json()["kind"], format!("action:{kind}"));
    }
    let by_owner = service.get("/jobs/status?owner=Sarah").await.json();
    assert_eq!(by_owner["jobs"].as_array().unwrap().len(), 2);
    for (path, body, code, message) in [
        ("/action?action_id=clear-graph", "[]", "GES.8012", "the body is a list: it must be a JSON object"),
        (
            "/action?action_id=clear-graph",
            r#"{"executionMode":"sync"}"#,
            "GES.8012",
            "executionMode is sync: only async",
        ),
        ("/indices", "{", "GES.8603", "the body is not JSON"),
        (
            "/action?action_id=import-graph",
            "{}",
            "GES.8005",
            "parameter action_id is import-graph: it must be one of execute-algorithm, execute-cypher-query, \
             execute-gql-query, clear-graph",
        ),
    ] {
        let (status, found, sentence) = service.post(path, body).await.error();
        assert_eq!((status, found.as_str()), (400, code), "{path} {body}");
        assert!(sentence.starts_with(message), "{sentence}");
    }
}

/// The store is that of an earlier host, which had the actions. This one has neither actions nor handlers.
#[tokio::test]
async fn jobs_of_an_action_that_is_registered_no_longer_are_listed_and_read_and_never_run() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let earlier = over(Arc::new(engine(Arc::clone(&store)).open().unwrap()), registered);
    let id = async |answer: &str| {
        let answer = earlier.post(answer, ASYNC).await.json();
        answer["results"][0]["jobId"].as_str().unwrap().to_owned()
    };
    let ran = id(CYPHER).await;
    earlier.engine.driver().run_until_idle();
    let (waits, cancelled) = (id(CYPHER).await, id(CYPHER).await);
    drop(earlier);

    let later = over(Arc::new(Engine::builder(store).manual().open().unwrap()), |api| api);
    later.engine.driver().run_until_idle();
    let listed = later.get("/jobs/status").await.json();
    let listed = listed["jobs"].as_array().unwrap().iter();
    let listed: Vec<_> =
        listed.map(|job| (job["jobId"].as_str().unwrap(), job["status"].as_str().unwrap())).collect();
    assert_eq!(listed, [(&*cancelled, "waiting"), (&*waits, "waiting"), (&*ran, "complete")]);
    let page = later.get(&format!("/jobs/{ran}/status?offset=2")).await.json();
    assert_eq!(page["data"]["outputs"]["data"][0]["row"][0], row(2));
    let why = later.get(&format!("/jobs/{waits}/explain")).await.json();
    let sentence = why["why"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("no handler") && sentence.contains("action:cypher"), "{sentence}");
    assert_eq!(later.delete(&format!("/jobs/{cancelled}")).await.status, 200);
    assert_eq!(later.post(CYPHER, ASYNC).await.error().1, "GES.8005");
    let refused = later.engine.submit(JobSpec::action("cypher").with_graph("g")).unwrap_err().to_string();
    assert!(refused.starts_with("no handler runs action:cypher"), "{refused}");
    let kind = JobFilter::default().kind(JobKind::Action("cypher".to_owned()));
    assert_eq!(later.engine.reader().filtered(&kind, None, 9).unwrap().len(), 3);
    assert!(later.engine.reader().list(PageRequest::default()).unwrap().len() == 3);
}

#[tokio::test]
async fn a_host_may_take_the_place_of_a_first_entry() {
    let engine = Arc::new(builder(Arc::new(MemoryStore::default())).open().unwrap());
    let refuses = |_: &Graph, _: &str| Err(ApiFailure::new("MINE.1", "no"));
    let service = over(engine, |api| api.action(HostAction::vertex_filter().read(refuses)));
    let (status, code, _) = service.post("/vertices/action?action_id=query", "{}").await.error();
    assert_eq!((status, code.as_str()), (400, "MINE.1"));
    assert_eq!(service.post("/edges/action?action_id=query", "{}").await.status, 200);
}

#[tokio::test]
async fn a_lookup_is_answered_at_once_in_the_words_of_the_dialect() {
    let engine = Arc::new(engine(Arc::new(MemoryStore::default())).open().unwrap());
    let service = over(engine, |api| registered(api).dialect(Dialect::Database));
    let answer = service.get("/summary?label_details=false").await;
    assert_eq!(answer.body, r#"{"data":{"edgeNum":1545,"vertexNum":160},"result":"success"}"#);
    let (status, code, message) = service.get("/summary?label_details=2").await.error();
    assert_eq!((status, code.as_str()), (400, "GES.8001"), "{message}");
    let nowhere = Request::get("/ges/v1.0/demo/graphs/films/summary").body(Body::empty()).unwrap();
    assert_eq!(service.send(nowhere).await.status, 404);
}

#[tokio::test]
async fn the_document_describes_actions_and_lookups() {
    let document = service().send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.json();
    let base = "/ges/v1.0/{projectId}/graphs/{graphName}";
    let operation = &document["paths"][format!("{base}/action")]["post"];
    let id = operation["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == "action_id");
    let ids = json!(["execute-algorithm", "execute-cypher-query", "execute-gql-query", "clear-graph"]);
    assert_eq!(id.unwrap()["schema"]["enum"], ids);
    assert!(
        operation["description"].as_str().unwrap().contains("- `clear-graph`: Removes every vertex and edge.")
    );
    let index = &document["paths"][format!("{base}/indices")]["post"];
    assert_eq!(index["operationId"], "submitIndices");
    assert!(index["parameters"].as_array().unwrap().iter().all(|parameter| parameter["name"] != "action_id"));
    let summary = &document["paths"][format!("{base}/summary")]["get"];
    assert_eq!(
        (&summary["operationId"], summary["parameters"].as_array().unwrap().len()),
        (&json!("askSummary"), 3)
    );
}
