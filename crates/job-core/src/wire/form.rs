//! [`Form`]: the looks of an answer to a submission.

use super::{Dialect, StatusPayload, payload};
use crate::{JobId, JobKind, JobRecord, JobResult, PageRequest};

/// How the answer to a submission looks. The states of its job are the same in all.
///
/// ```
/// use job_core::{JobId, JobKind, wire::{Dialect, Form}};
///
/// let id: JobId = "018bcfe5-6800-7000-8000-000000000000".parse()?;
/// let cypher = JobKind::Action("cypher".to_owned());
/// let body = Dialect::Database.submitted(Form::Rows, id, &cypher);
/// assert_eq!(String::from_utf8(body)?, concat!(
///     r#"{"results":[{"columns":["jobId"],"jobId":"018bcfe5-6800-7000-8000-000000000000","#,
///     r#""data":[{"row":["018bcfe5-6800-7000-8000-000000000000"],"meta":[null]}]}],"errors":[]}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Form {
    /// The id is at the top, and a result is under `data.outputs`. Filters and algorithms answer so.
    #[default]
    Plain,
    /// As [`Plain`](Self::Plain), but a synchronous result is right under `data`. Filtered queries answer so.
    Flat,
    /// As [`Plain`](Self::Plain), but an error has its sentence as `errorMsg` too. The client of the management plane reads
    /// it there.
    Managed,
    /// The answer is a table of a query language: the id is in `results[0]`, and so is a result. Cypher and GQL answer so.
    Rows,
}

impl Form {
    /// The answer around the members of the one result.
    fn around(self, members: &str) -> Vec<u8> {
        match self {
            Self::Plain | Self::Flat | Self::Managed => format!("{{{members}}}"),
            Self::Rows => format!(r#"{{"results":[{{{members}}}],"errors":[]}}"#),
        }
        .into_bytes()
    }
}

/// Answers to submissions.
impl Dialect {
    /// The acknowledgement of a job, in this form.
    #[must_use]
    pub fn submitted(self, form: Form, id: JobId, kind: &JobKind) -> Vec<u8> {
        match form {
            Form::Plain | Form::Flat | Form::Managed => self.acknowledged(id, Some(kind)),
            Form::Rows => form.around(&self.row(id, kind, "")),
        }
    }

    /// The answer to a synchronous submission whose job has not ended within the bound of the host. This is an extension:
    /// the acknowledgement, with `"executionMode":"async"` and the state of the job.
    ///
    /// ```
    /// use job_core::{JobId, JobRecord, JobSpec, Timestamp, wire::{Dialect, Form}};
    ///
    /// let id: JobId = "018bcfe5-6800-7000-8000-000000000000".parse()?;
    /// let job = JobRecord::waiting(id, JobSpec::algorithm("k_hop").with_graph("movies"), Timestamp::default());
    /// let body = Dialect::Document.not_yet(Form::Plain, &job);
    /// assert_eq!(String::from_utf8(body)?, concat!(
    ///     r#"{"jobId":"018bcfe5-6800-7000-8000-000000000000","jobType":1,"#,
    ///     r#""executionMode":"async","status":"waiting"}"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn not_yet(self, form: Form, record: &JobRecord) -> Vec<u8> {
        let (id, kind) = (record.id, record.spec.kind());
        let said = format!(r#","executionMode":"async","status":"{}""#, self.unfinished(record.state));
        match form {
            Form::Plain | Form::Flat | Form::Managed => {
                form.around(&format!("{}{said}", self.id_members(id, Some(kind))))
            }
            Form::Rows => form.around(&self.row(id, kind, &said)),
        }
    }

    /// The answer to a synchronous submission: a page of the result, without a state.
    #[must_use]
    pub fn result(self, form: Form, record: &JobRecord, result: &JobResult, page: PageRequest) -> StatusPayload {
        let end = [self.result_member(true).as_bytes(), b"}"].concat();
        match form {
            Form::Plain | Form::Managed => self.rows_of(record, StatusPayload::data(result, page, &end)),
            Form::Flat => StatusPayload::flat(result, page, &end),
            Form::Rows => StatusPayload::table(result, page),
        }
    }

    /// The answer to a question that needs no job, such as the summary of a graph.
    ///
    /// ```
    /// use job_core::wire::Dialect;
    ///
    /// let body = Dialect::Database.data(&serde_json::json!({"vertexNum": 146}));
    /// assert_eq!(body, br#"{"data":{"vertexNum":146},"result":"success"}"#);
    /// ```
    #[must_use]
    pub fn data(self, data: &serde_json::Value) -> Vec<u8> {
        format!(r#"{{"data":{data}{}}}"#, self.result_member(true)).into_bytes()
    }

    /// The body of an error, in this form.
    ///
    /// ```
    /// use job_core::wire::{Dialect, Form};
    ///
    /// let body = Dialect::Document.error_in(Form::Rows, "GES.8904", "Label index in vertices is not found.");
    /// assert_eq!(body, br#"{"results":[],"errors":[{"code":"GES.8904","message":"Label index in vertices is not found."}]}"#);
    /// ```
    #[must_use]
    pub fn error_in(self, form: Form, code: &str, message: &str) -> Vec<u8> {
        match form {
            Form::Plain | Form::Flat => self.error_body(code, message),
            Form::Managed => payload::managed_error(code, message),
            Form::Rows => payload::rows_error(code, message),
        }
    }

    /// The members of a table with the id as its one row.
    fn row(self, id: JobId, kind: &JobKind, said: &str) -> String {
        let members = self.id_members(id, Some(kind));
        match self.job_type(kind) {
            Some(number) => format!(
                r#""columns":["jobId","jobType"],{members}{said},"data":[{{"row":["{id}",{number}],"meta":[null,null]}}]"#
            ),
            None => format!(r#""columns":["jobId"],{members}{said},"data":[{{"row":["{id}"],"meta":[null]}}]"#),
        }
    }
}
