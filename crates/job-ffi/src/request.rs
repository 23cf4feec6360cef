//! Requests as JSON: the spec of a job, and the filter of a list.

use std::collections::BTreeMap;

use job_runner::{
    JobFilter, JobId as Id, JobKind, JobSpec, JobState,
    job_core::{
        shown,
        strict::{self, Raw},
    },
};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Failure, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec<'b> {
    kind: JobKind,
    graph: String,
    #[serde(borrow)]
    parameters: Option<Raw<'b>>,
    #[serde(borrow)]
    options: Option<Raw<'b>>,
}

/// Reads the request of a new job. Unknown keys are refused; parameters are kept unchanged.
pub(crate) fn spec(json: &str) -> Outcome<JobSpec> {
    let Spec { kind, graph, parameters, options } = strict::read("the spec", json)?;
    let mut spec = JobSpec::new(kind).with_graph(graph);
    if let Some(parameters) = parameters {
        spec = spec.with_raw_parameters(strict::object("parameters", parameters.as_str().to_owned())?);
    }
    if let Some(options) = options {
        // Options that are not set are left out of the JSON.
        let all = JobSpec::edge_filter().owner("").label("").trace_parent("").again_of(Id::MIN).raw_request("");
        let all = serde_json::to_value(all.options()).unwrap_or_default();
        known("options", options.as_str(), &all)?;
        spec = spec.with_options(strict::read("options", options.as_str())?);
    }
    Ok(spec)
}

/// Reads a list of requests.
pub(crate) fn specs(json: &str) -> Outcome<Vec<JobSpec>> {
    let specs: Vec<Raw<'_>> = strict::read("the specs", json)?;
    let read = |(at, one): (usize, &Raw<'_>)| {
        spec(one.as_str()).map_err(|failure| Failure::argument(format!("spec {at}: {}", failure.message)))
    };
    specs.iter().enumerate().map(read).collect()
}

/// Refuses keys that `all` does not have, also in inner objects.
fn known(place: &'static str, json: &str, all: &Value) -> Outcome {
    let Some(all) = all.as_object() else { return Ok(()) };
    let members: BTreeMap<String, Raw<'_>> = strict::read(place, json)?;
    for (name, member) in &members {
        let Some(inner) = all.get(name) else {
            let names: Vec<&str> = all.keys().map(String::as_str).collect();
            let name = shown(name);
            return Err(Failure::argument(format!(
                "{place}.{name} is unknown: it must be one of {}",
                names.join(", ")
            )));
        };
        if inner.is_object() && member.as_str() != "null" {
            known("budget", member.as_str(), inner)?;
        }
    }
    Ok(())
}

/// The most jobs on a page of a list, and the default number.
const MOST_LISTED: u32 = 1_000;
const LISTED: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    graph: Option<String>,
    kind: Option<String>,
    owner: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    states: Vec<String>,
    before: Option<Id>,
    limit: Option<u32>,
}

/// A page of a list of jobs.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) filter: JobFilter,
    pub(crate) before: Option<Id>,
    pub(crate) limit: u32,
}

/// Reads which jobs to list. An empty text asks for the newest of all jobs.
pub(crate) fn listing(json: &str) -> Outcome<Listing> {
    let json = if json.is_empty() { "{}" } else { json };
    let List { graph, kind, owner, labels, states, before, limit } = strict::read("the filter", json)?;
    let limit = limit.unwrap_or(LISTED);
    if !(1..=MOST_LISTED).contains(&limit) {
        return Err(Failure::argument(format!(
            "limit is {limit}: it must be a whole number from 1 to {MOST_LISTED}"
        )));
    }
    let mut filter = JobFilter::default();
    (filter.graph, filter.owner) = (graph, owner);
    filter.kind = kind.as_deref().map(JobKind::named);
    filter.labels.extend(labels);
    for word in &states {
        filter = filter.state(state(word)?);
    }
    Ok(Listing { filter, before, limit })
}

fn state(word: &str) -> Outcome<JobState> {
    let state = JobState::ALL.into_iter().find(|state| state.to_string() == word);
    state.ok_or_else(|| {
        let states = JobState::ALL.map(|state| state.to_string()).join(", ");
        Failure::argument(format!("states has {:?}: it must be one of {states}", shown(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(outcome: Result<impl Sized, Failure>) -> String {
        outcome.err().map(|failure| failure.message).unwrap_or_default()
    }

    #[test]
    fn a_spec_is_read_as_it_is_written() {
        let all = r#"{"kind":{"algorithm":"pagerank"},"graph":"movies","parameters":{"k": 1.50},
            "options":{"priority":5,"budget":{"rows":7},"owner":"sarah","labels":["nightly"],
            "trace_parent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "again_of":"018bcfe5-6800-7000-8000-000000000000"}}"#;
        let spec = spec(all).unwrap();
        assert_eq!(spec.parameters().as_str(), r#"{"k": 1.50}"#);
        assert_eq!((spec.options().priority, spec.options().budget.rows), (5, Some(7)));
        assert!(spec.check().is_ok());
        assert_eq!(spec.options().again_of, Some("018bcfe5-6800-7000-8000-000000000000".parse().unwrap()));
        let trace = spec.options().trace_parent.as_deref();
        assert_eq!(trace, Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        let written = serde_json::to_string(&spec).unwrap();
        assert_eq!(super::spec(&written).unwrap(), spec, "{written}");
        let action = r#"{"kind":{"action":"cypher"},"graph":"g"}"#;
        assert_eq!(super::spec(action).unwrap(), JobSpec::action("cypher").with_graph("g"));
        assert_eq!(
            listing(r#"{"kind":"action:cypher"}"#).unwrap().filter.kind,
            Some(JobKind::Action("cypher".to_owned()))
        );
        let none = r#"{"kind":"vertex_filter","graph":"g","parameters":null,"options":{"budget":null}}"#;
        assert_eq!(super::spec(none).unwrap(), JobSpec::vertex_filter().with_graph("g"));
    }

    #[test]
    fn a_spec_that_is_wrong_is_refused_with_the_place() {
        for (json, expected) in [
            (r#"{"graph":"g"}"#, "kind is missing"),
            (r#"{"kind":"pagerank","graph":"g"}"#, "kind is \"pagerank\""),
            (r#"{"kind":"vertex_filter","graph":"g","params":{}}"#, "params is unknown"),
            (r#"{"kind":"vertex_filter","graph":"g","parameters":[]}"#, "parameters is a list"),
            (r#"{"kind":"vertex_filter","graph":"g","options":{"prio":1}}"#, "options.prio is unknown"),
            (r#"{"kind":"vertex_filter","graph":"g","options":{"prio":1}}"#, "trace_parent"),
            (r#"{"kind":"vertex_filter","graph":"g","options":{"again_of":"x"}}"#, "is not a job id"),
            (r#"{"kind":"vertex_filter","graph":"g","options":{"budget":{"row":1}}}"#, "budget.row is unknown"),
            (r#"{"kind":"vertex_filter","graph":"g","graph":"h"}"#, "graph is given twice"),
            ("{", "the spec is not JSON"),
        ] {
            assert!(words(spec(json)).contains(expected), "{json}: {}", words(spec(json)));
        }
    }

    #[test]
    fn a_filter_is_read_and_a_wrong_one_refused() {
        let all = r#"{"graph":"g","kind":"kcore","owner":"o","labels":["a","b"],"states":["waiting","failed"],
            "before":"018bcfe5-6800-7000-8000-000000000000","limit":1000}"#;
        let listing = listing(all).unwrap();
        assert_eq!((listing.filter.states.len(), listing.filter.labels.len(), listing.limit), (2, 2, 1_000));
        assert_eq!(super::listing("").unwrap().limit, LISTED);
        for (json, expected) in [
            (r#"{"limit":0}"#, "limit is 0"),
            (r#"{"limit":1001}"#, "limit is 1001"),
            (r#"{"states":["done"]}"#, "states has \"done\""),
            (r#"{"state":"failed"}"#, "state is unknown"),
            (r#"{"before":"x"}"#, "is not a job id"),
        ] {
            assert!(words(super::listing(json)).contains(expected), "{json}: {}", words(super::listing(json)));
        }
    }
}
