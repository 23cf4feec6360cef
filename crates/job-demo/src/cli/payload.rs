//! [`ResultPage`]: a page of rows, read from the answer to a status query.

use std::error::Error;

use job_runner::{EngineError, JobId, PageRequest, job_core::Members};
use serde_json::value::RawValue;

use super::{
    exit::{Exit, Mistake},
    job::State,
    source::{Answer, Source},
    status::sentence,
};

/// A page of the rows of a job.
#[derive(Debug, Default)]
pub(super) struct ResultPage<'a> {
    /// Names and JSON of the values.
    pub(super) outputs: Vec<(String, &'a str)>,
    /// The name of the list; `None` of a result without one.
    pub(super) list: Option<String>,
    /// The rows of the page.
    pub(super) rows: Vec<&'a RawValue>,
    /// Rows of the whole list; of an unfinished job, the number so far.
    pub(super) total: u64,
    /// Whether the job is complete.
    pub(super) is_whole: bool,
}

impl<'a> ResultPage<'a> {
    /// Reads a payload of the API that has a result.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        let body: &RawValue = serde_json::from_slice(body)?;
        let mut page = Self { is_whole: member(body, "status")?.get() == COMPLETE, ..Self::default() };
        let outputs = member(member(body, "data")?, "outputs")?;
        let Members(members) = serde_json::from_str(outputs.get())?;
        let is_list = members.len().checked_sub(1).filter(|_| members.iter().any(|(name, _)| name.get() == TOTAL));
        for (place, (name, value)) in members.into_iter().enumerate() {
            let name: String = serde_json::from_str(name.get())?;
            match name.as_str() {
                // The list is the last member, behind its sizes.
                _ if is_list == Some(place) => {
                    page.rows = serde_json::from_str(value.get())?;
                    page.list = Some(name);
                }
                "data_total_size" => page.total = serde_json::from_str(value.get())?,
                "data_return_size" | "data_offset" => {}
                _ => page.outputs.push((name, value.get())),
            }
        }
        Ok(page)
    }
}

const TOTAL: &str = "\"data_total_size\"";

const COMPLETE: &str = "\"complete\"";

/// The member of this name.
fn member<'a>(object: &'a RawValue, name: &str) -> Result<&'a RawValue, serde_json::Error> {
    let Members(members) = serde_json::from_str(object.get())?;
    let found = members.into_iter().find(|(key, _)| key.get().trim_matches('"') == name);
    found.map(|(_, value)| value).ok_or_else(|| serde::de::Error::custom(format!("the answer has no {name}")))
}

/// The answer that has a page of a job's result.
pub(super) fn page(source: &dyn Source, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
    match unfinished(source, id)? {
        None => whole(source, id, page),
        Some(state) => Err(too_early(id, state, "it has rows when it has succeeded")),
    }
}

/// As [`page`], and the rows so far of a job that runs in a server.
pub(super) fn so_far(source: &dyn Source, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
    let Some(state) = unfinished(source, id)? else { return whole(source, id, page) };
    if state == State::Waiting {
        return Err(too_early(id, state, "it has rows when it runs"));
    }
    match source.so_far(id, page)? {
        None => Err(too_early(id, state, "its rows are seen at its end, or before it where `serve` runs it")),
        Some(answer) if ResultPage::read(&answer.body).is_err() => {
            Err(too_early(id, state, "it has stored no rows yet"))
        }
        Some(answer) => Ok(answer),
    }
}

/// The state of a job that has not ended.
fn unfinished(source: &dyn Source, id: JobId) -> Result<Option<State>, Box<dyn Error>> {
    let state = source.job(id)?.ok_or(EngineError::UnknownJob(id))?.state;
    Ok(Some(state).filter(|state| !state.is_complete() && *state != State::Unreadable))
}

fn whole(source: &dyn Source, id: JobId, page: PageRequest) -> Result<Answer, Box<dyn Error>> {
    let answer = source.status(id, page)?;
    if answer.http_status == 200 {
        return Ok(answer);
    }
    Err(Mistake::new(Exit::JobFailed, sentence(&answer.body)).into())
}

fn too_early(id: JobId, state: State, why: &str) -> Box<dyn Error> {
    Mistake::new(Exit::Refused, format!("job {id} is {state}: {why}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_values_and_its_rows_as_they_were_written() {
        let body =
            br#"{"data":{"outputs":{"runtime":1e-7,"data_return_size":2,"data_offset":3,"data_total_size":5,
            "pagerank":[{"a":0.10},["b"]]}},"status":"complete"}"#;
        let page = ResultPage::read(body).unwrap();
        assert_eq!(page.outputs, [("runtime".to_owned(), "1e-7")]);
        assert_eq!((page.list.as_deref(), page.total, page.is_whole), (Some("pagerank"), 5, true));
        assert_eq!(page.rows.iter().map(|row| row.get()).collect::<Vec<_>>(), [r#"{"a":0.10}"#, r#"["b"]"#]);

        let bare = ResultPage::read(br#"{"data":{"outputs":{"path":["a","b"]}},"status":"complete"}"#).unwrap();
        assert_eq!((bare.list, bare.rows.len(), bare.outputs.len()), (None, 0, 1));
        assert!(ResultPage::read(br#"{"status":"running"}"#).is_err());
        let part = br#"{"data":{"outputs":{"data_total_size":9,"r":[1]}},"status":"running"}"#;
        assert!(!ResultPage::read(part).unwrap().is_whole);
    }
}
