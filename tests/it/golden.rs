//! Every shape of an answer, as the API documents show it (`golden/*.json`), through a whole engine.

use std::{fs, path::Path, sync::Arc};

use job_runner::{Engine, JobContext, JobError, JobSpec, PageRequest, store::Store};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{backends, body};

/// One sample: the result of a job, the request, and the answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    about: String,
    kind: String,
    #[serde(default)]
    values: Vec<(String, Value)>,
    list: Option<String>,
    #[serde(default)]
    rows: Vec<Value>,
    /// The number of further rows, which are not compared.
    #[serde(default)]
    more: usize,
    #[serde(default)]
    ends: Ends,
    #[serde(default)]
    reason: String,
    offset: Option<String>,
    limit: Option<String>,
    http: u16,
    answer: Value,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Ends {
    #[default]
    Well,
    Failed,
    Cancelled,
    Waiting,
    Running,
    Unknown,
}

impl Sample {
    fn spec(&self) -> JobSpec {
        match self.kind.as_str() {
            "vertex_filter" => JobSpec::vertex_filter(),
            "edge_filter" => JobSpec::edge_filter(),
            name => JobSpec::algorithm(name),
        }
        .with_graph("movies")
    }

    fn give(&self, ctx: &JobContext) -> Result<(), JobError> {
        for (name, value) in &self.values {
            ctx.set_output(name, value)?;
        }
        if let Some(list) = &self.list {
            let mut rows = ctx.rows(list)?;
            for row in &self.rows {
                rows.push(row)?;
            }
            for number in 0..self.more {
                rows.push(&json!({"id": format!("more {number}")}))?;
            }
        }
        if self.ends == Ends::Failed { Err(JobError::failed(self.reason.clone())) } else { Ok(()) }
    }
}

/// Brings a job to the state of the sample, and sends the request.
fn answer(sample: &Arc<Sample>, store: Arc<dyn Store>) -> (u16, Vec<u8>, String) {
    let given = Arc::clone(sample);
    let page = PageRequest::parse(sample.offset.as_deref(), sample.limit.as_deref()).unwrap();
    // The query about a running job comes from inside its body.
    let (tell, told) = std::sync::mpsc::channel();
    let reader = job_runner::JobReader::new(Arc::clone(&store));
    let handler = move |ctx: &mut JobContext| {
        let ended = given.give(ctx);
        if given.ends == Ends::Running {
            tell.send(reader.status(ctx.id(), page).unwrap()).unwrap();
        }
        ended
    };
    let builder = Engine::builder(store).manual();
    let engine = match sample.kind.as_str() {
        "vertex_filter" => builder.vertex_filter(handler),
        "edge_filter" => builder.edge_filter(handler),
        name => builder.algorithm(name, handler),
    }
    .open()
    .unwrap();
    let job = engine.submit(sample.spec()).unwrap();
    match sample.ends {
        Ends::Waiting => {}
        Ends::Cancelled | Ends::Unknown => drop(job.cancel().unwrap()),
        _ => assert!(engine.driver().run_one().is_some()),
    }
    if sample.ends == Ends::Unknown {
        assert!(engine.remove(job.id()).unwrap());
    }
    let status = if sample.ends == Ends::Running { told.recv().unwrap() } else { job.status(page).unwrap() };
    (status.payload().http_status(), body(status), job.id().to_string())
}

#[test]
fn every_documented_payload_is_answered_as_documented() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/golden");
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 18, "only {} samples", files.len());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let sample: Arc<Sample> = Arc::new(serde_json::from_str(&text).unwrap());
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for (backend, store, _directory) in backends() {
            let (http, bytes, id) = answer(&sample, store);
            let expected: Value = serde_json::from_str(&sample.answer.to_string().replace("{id}", &id)).unwrap();
            let found: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!((http, found), (sample.http, expected), "{name} on {backend}: {}", sample.about);
        }
    }
}

/// The sizes come first, so that a client of a large answer knows them before the rows. The order of keys must
/// never depend on a map.
#[test]
fn the_sizes_of_a_page_come_before_its_rows() {
    for (_, store, _directory) in backends() {
        let sample = Sample {
            about: String::new(),
            kind: "vertex_filter".to_owned(),
            values: vec![("runtime".to_owned(), json!(0.5))],
            list: Some("vertices".to_owned()),
            rows: vec![json!("a")],
            more: 0,
            ends: Ends::Well,
            reason: String::new(),
            offset: None,
            limit: None,
            http: 200,
            answer: Value::Null,
        };
        let (_, bytes, _) = answer(&Arc::new(sample), store);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            concat!(
                r#"{"data":{"outputs":{"runtime":0.5,"data_return_size":1,"data_offset":0,"data_total_size":1,"#,
                r#""vertices":["a"]}},"status":"complete"}"#
            )
        );
    }
}
