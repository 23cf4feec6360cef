//! [`Remote`]: the jobs of a store that a server has open, over its REST API.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    ops::ControlFlow,
    time::Duration,
};

use hyper::Method;
use job_runner::{
    EngineError, JobFilter, JobId, JobKind, JobSpec, PageRequest, Parameters, Timestamp, wire::ErrorCode,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};

use super::{
    backup,
    client::{Client, PATIENCE, Reply, Unreached},
    exit::{Exit, Mistake},
    job::{Job, State},
    serve::{INSTANCE, PROJECT},
    source::{Answer, Changes, Source},
    status::sentence,
};

/// The jobs of a server.
#[derive(Debug)]
pub(super) struct Remote(Client);

impl Remote {
    pub(super) fn new(url: &str) -> Result<Self, Box<dyn Error>> {
        Ok(Self(Client::new(url)?))
    }

    /// The text that identifies a server; empty if another program answers.
    pub(super) fn instance(&self, patience: Duration) -> Result<String, Unreached> {
        let reply = match self.0.ask(Method::GET, INSTANCE, String::new(), patience) {
            Err(Unreached::Broken { .. }) => return Ok(String::new()),
            reply => reply?,
        };
        Ok(if reply.status == 200 { String::from_utf8_lossy(&reply.body).into_owned() } else { String::new() })
    }

    /// Lets the server make a copy of its store, which takes as long as its files are large.
    pub(super) fn back_up(&self, request: &backup::Request) -> Result<(), Box<dyn Error>> {
        const LONG: Duration = Duration::from_hours(24);
        accepted(self.0.ask(Method::POST, backup::PATH, serde_json::to_string(request)?, LONG)?)?;
        Ok(())
    }

    fn ask(&self, method: Method, path: &str, body: String) -> Result<Reply, Box<dyn Error>> {
        Ok(self.0.ask(method, path, body, PATIENCE)?)
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Box<dyn Error>> {
        let reply = accepted(self.ask(Method::GET, path, String::new())?)?;
        Ok(serde_json::from_slice(&reply.body)?)
    }

    fn page_of(&self, id: JobId, graph: &str, query: &str) -> Result<Reply, Box<dyn Error>> {
        self.ask(Method::GET, &format!("{}/jobs/{id}/status?{query}", base(graph)), String::new())
    }
}

/// The beginning of the paths of a graph.
fn base(graph: &str) -> String {
    format!("/ges/v1.0/{PROJECT}/graphs/{}", escaped(graph))
}

/// A name as a part of a path.
fn escaped(name: &str) -> String {
    name.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text + &char::from(byte).to_string(),
        other => format!("{text}%{other:02X}"),
    })
}

/// A filter as parameters of a URL, to append to other parameters.
fn parameters_of(filter: &JobFilter) -> String {
    let states: Vec<String> = filter.states.iter().map(ToString::to_string).collect();
    behind([
        ("graph", filter.graph.clone()),
        ("kind", filter.kind.as_ref().map(ToString::to_string)),
        ("owner", filter.owner.clone()),
        ("label", filter.labels.first().cloned()),
        ("state", Some(states.join(",")).filter(|states| !states.is_empty())),
    ])
}

/// The parameters with a value, to follow others in a path.
fn behind<const N: usize>(parameters: [(&str, Option<String>); N]) -> String {
    parameters.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", escaped(&value?)))).collect()
}

/// An answer that is no error.
fn accepted(reply: Reply) -> Result<Reply, Mistake> {
    if reply.status == 200 {
        return Ok(reply);
    }
    let told = sentence(&reply.body);
    let is_parameter = told.ends_with(&format!("({})", ErrorCode::Parameter.as_str()));
    Err(Mistake::new(exit(reply.status, is_parameter), told))
}

/// The exit code for an HTTP status.
const fn exit(status: u16, is_parameter: bool) -> Exit {
    match status {
        404 => Exit::NotFound,
        400 if is_parameter => Exit::Usage,
        400..=499 => Exit::Refused,
        _ => Exit::Store,
    }
}

/// The cursor that makes a list begin with this job.
fn at(id: JobId) -> JobId {
    let number = u128::from_be_bytes(*id.as_bytes());
    JobId::from_bytes(number.saturating_add(1).to_be_bytes())
}

#[derive(Deserialize)]
struct Listed {
    jobs: Vec<Entry>,
    next: Option<String>,
}

/// A job of `/operator/jobs`. Times are milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    job_id: JobId,
    kind: String,
    graph: String,
    owner: Option<String>,
    #[serde(default)]
    labels: BTreeSet<String>,
    state: String,
    attempt: u32,
    rows: u64,
    bytes: u64,
    submitted: u64,
    started: Option<u64>,
    finished: Option<u64>,
    progress: Option<Steps>,
    fail_reason: Option<String>,
}

#[derive(Deserialize)]
struct Steps {
    done: u64,
    total: u64,
}

impl From<Entry> for Job {
    fn from(entry: Entry) -> Self {
        let time = |millis: u64| Timestamp::from_micros(millis.saturating_mul(1_000));
        let steps = entry.progress.filter(|steps| steps.total > 0);
        let state = State::named(&entry.state);
        Self {
            id: entry.job_id,
            work: entry.kind,
            graph: entry.graph,
            owner: entry.owner,
            labels: entry.labels,
            state,
            attempt: entry.attempt,
            rows: entry.rows,
            bytes: entry.bytes,
            parameters: None,
            submitted: Some(time(entry.submitted)).filter(|_| state != State::Unreadable),
            started: entry.started.map(time),
            finished: entry.finished.map(time),
            progress: steps.map(|steps| steps.done.saturating_mul(100) / steps.total),
            why: entry.fail_reason,
        }
    }
}

impl Source for Remote {
    fn each(
        &self,
        filter: &JobFilter,
        visit: &mut dyn FnMut(Job) -> ControlFlow<()>,
    ) -> Result<(), Box<dyn Error>> {
        let filter = parameters_of(filter);
        // Most lists are short.
        let mut path = format!("/operator/jobs?limit=100{filter}");
        loop {
            let page: Listed = self.get(&path)?;
            for entry in page.jobs {
                if visit(entry.into()).is_break() {
                    return Ok(());
                }
            }
            match page.next {
                Some(next) => path = format!("/operator/jobs?limit=1000&before={next}{filter}"),
                None => return Ok(()),
            }
        }
    }

    fn job(&self, id: JobId) -> Result<Option<Job>, Box<dyn Error>> {
        let page: Listed = self.get(&format!("/operator/jobs?limit=1&before={}", at(id)))?;
        Ok(page.jobs.into_iter().next().map(Job::from).filter(|job| job.id == id))
    }

    fn parameters(&self, job: &Job) -> Result<Option<Parameters>, Box<dyn Error>> {
        #[derive(Deserialize)]
        struct Viewed {
            request: Box<RawValue>,
        }
        let reply = self.ask(Method::GET, &format!("/operator/jobs/{}", job.id), String::new())?;
        // The job may have been removed meanwhile, and what cannot be read has no parameters.
        if reply.status == 400 {
            return Ok(None);
        }
        let viewed: Viewed = serde_json::from_slice(&accepted(reply)?.body)?;
        Ok(Some(Parameters::from_text(Box::<str>::from(viewed.request).into_string())?))
    }

    fn status(&self, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
        let Some(job) = self.job(id)? else {
            return Ok(Answer::unknown(&id.to_string()));
        };
        let query = format!("offset={}&limit={}", page.offset(), page.limit());
        let reply = self.page_of(id, &job.graph, &query)?;
        // Any other answer is an error of the server.
        let reply = if reply.status == 400 { reply } else { accepted(reply)? };
        Ok(Answer { http_status: reply.status, body: reply.body.to_vec() })
    }

    fn so_far(&self, id: JobId, page: PageRequest) -> Result<Option<Answer>, Box<dyn Error>> {
        let path = format!("/operator/jobs/{id}/rows?offset={}&limit={}", page.offset(), page.limit());
        let reply = accepted(self.ask(Method::GET, &path, String::new())?)?;
        Ok(Some(Answer { http_status: reply.status, body: reply.body.to_vec() }))
    }
}

/// A body that asks for the id of its job, not for the result.
fn in_background(body: &str) -> Result<String, serde_json::Error> {
    let mut members: BTreeMap<&str, &RawValue> = serde_json::from_str(body)?;
    let mode = RawValue::from_string(r#""async""#.to_owned())?;
    members.insert("executionMode", &mode);
    serde_json::to_string(&members)
}

impl Changes for Remote {
    fn submit(&self, spec: JobSpec) -> Result<JobId, Box<dyn Error>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Acknowledged {
            job_id: JobId,
        }
        let given = spec.parameters().as_str();
        let (action, body) = match spec.kind() {
            JobKind::VertexFilter => ("vertices/action?action_id=query".to_owned(), given.to_owned()),
            JobKind::EdgeFilter => ("edges/action?action_id=query".to_owned(), given.to_owned()),
            JobKind::Algorithm(name) => (
                "action?action_id=execute-algorithm".to_owned(),
                format!(r#"{{"algorithmName":{},"parameters":{given},"executionMode":"async"}}"#, json!(name)),
            ),
            JobKind::Action(name) => (format!("action?action_id={name}"), in_background(given)?),
        };
        let options = spec.options();
        let labels: Vec<&str> = options.labels.iter().map(String::as_str).collect();
        let marks =
            [("owner", options.owner.clone()), ("label", Some(labels.join(",")).filter(|_| !labels.is_empty()))];
        let path = format!("{}/{action}{}", base(spec.graph()), behind(marks));
        let reply = accepted(self.ask(Method::POST, &path, body)?)?;
        Ok(serde_json::from_slice::<Acknowledged>(&reply.body)?.job_id)
    }

    fn cancel(&self, id: JobId) -> Result<(), Box<dyn Error>> {
        let job = self.job(id)?.ok_or(EngineError::UnknownJob(id))?;
        // The API answers a second cancel as the first.
        if job.state.is_complete() {
            return Err(EngineError::AlreadyComplete(id).into());
        }
        accepted(self.ask(Method::DELETE, &format!("/operator/jobs/{id}"), String::new())?)?;
        Ok(())
    }

    fn wait(&self, id: JobId, show: &mut dyn FnMut(&Job)) -> Result<Job, Box<dyn Error>> {
        loop {
            let job = self.job(id)?.ok_or(EngineError::UnknownJob(id))?;
            if job.state.is_complete() {
                return Ok(job);
            }
            show(&job);
            // The server answers at the end of the job, or after a second.
            let reply = self.page_of(id, &job.graph, "limit=1&wait=1")?;
            if reply.status != 400 {
                accepted(reply)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use job_runner::{JobState, Outcome};

    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        for (name, expected) in
            [("movies", "movies"), ("a/b?c#d e", "a%2Fb%3Fc%23d%20e"), ("莎", "%E8%8E%8E"), ("..", "%2E%2E")]
        {
            assert_eq!(escaped(name), expected);
        }
    }

    #[test]
    fn a_filter_is_asked_for_by_name() {
        let filter =
            JobFilter::default().graph("a b").owner("Sarah").label("team=搜索").kind(JobKind::VertexFilter);
        let filter = filter.state(JobState::Waiting).state(JobState::Complete(Outcome::Failed));
        let expected =
            "&graph=a%20b&kind=vertex_filter&owner=Sarah&label=team%3D%E6%90%9C%E7%B4%A2&state=waiting%2Cfailed";
        assert_eq!(parameters_of(&filter), expected);
        assert_eq!(parameters_of(&JobFilter::default()), "");
    }

    #[test]
    fn an_answer_of_a_server_is_the_same_mistake_as_here() {
        for (status, is_parameter, expected) in [
            (404, false, Exit::NotFound),
            (400, true, Exit::Usage),
            (400, false, Exit::Refused),
            (409, false, Exit::Refused),
            (500, false, Exit::Store),
            (503, false, Exit::Store),
        ] {
            assert_eq!(exit(status, is_parameter), expected, "{status}");
        }
    }

    #[test]
    fn the_list_at_a_job_begins_with_it() {
        let id: JobId = "018bcfe5-6800-7000-8000-0000000000ff".parse().unwrap();
        assert_eq!(at(id).to_string(), "018bcfe5-6800-7000-8000-000000000100");
        assert_eq!(at(JobId::MAX), JobId::MAX);
    }
}
