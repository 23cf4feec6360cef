//! [`Dialect`]: the words of one edition of the API.

use super::{ApiError, ErrorCode, ListedJob, StatusPayload, payload};
use crate::{JobId, JobKind, JobRecord, JobResult, JobState, Outcome, PageRequest, shown};

/// An edition of the API. Paths, parameters and rows are the same in all of them; words differ.
///
/// `Memory2025Rows` is `Memory2025` but for two things. The rows of `pagerank`, `personalrank` and `kcore` are objects
/// `{"id": v, "pagerank": x}` in a list `results`, and a list of jobs says how many there are (`jobCount`).
///
/// | | `Document` | `Memory2025` | `Database` |
/// | --- | --- | --- | --- |
/// | states | `waiting` `running` `complete` | `pending` `running` `success` `failed` `partiallyFailed` | `pending` `running` `complete` `failed` |
/// | a failed job | 400, GES.8301 | 200, `status` and the error | 200, `status` and the error |
/// | a failed job that kept rows | 400, GES.8301 | `partiallyFailed` with `data` | as any failed job |
/// | `result` | never | never | `success` or `failed`, always |
/// | `executionMode` by default | `async` | `async` | `sync` |
/// | `jobType` of a vertex filter | 0 | 1 | no `jobType` at all |
/// | a job in a list | `rawRequest`, `taskType`, times | the same | `request` with `command`, `url`, `rawRequest` |
/// | an unknown job | `jobId is  X` (two blanks) | `jobId is  X` | `jobId is X` |
///
/// No edition has a word for a cancelled job. Here it is a failed job whose reason is the cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// The API document that this library implements: the service's memory edition of 2018 and early 2019.
    #[default]
    Document,
    /// The memory edition of the service, as its pages of 2025 have it.
    Memory2025,
    /// The memory edition of the service, as its newest pages of 2025 have it: the rows of ranks are objects.
    Memory2025Rows,
    /// The database edition of the service, as its pages of 2025 have it.
    Database,
}

/// The words of one edition. To add a dialect, add a variant, a value of this type, and a line in [`Dialect::ALL`]
/// and [`Dialect::edition`].
#[derive(Debug)]
struct Edition {
    name: &'static str,
    waiting: &'static str,
    running: &'static str,
    succeeded: &'static str,
    /// `None`: a query about a job that failed is answered with a plain error.
    failed: Option<&'static str>,
    /// `None`: the rows that a failed job kept are not shown.
    partly_failed: Option<&'static str>,
    /// The word of a list for a job that succeeded.
    listed_succeeded: &'static str,
    /// Whether every answer has `result`, which says if the query went well.
    has_result: bool,
    /// The member of a list that says how many jobs there are in all.
    count: Option<&'static str>,
    /// Whether the rows of ranks are objects with an id and a value.
    has_row_objects: bool,
    /// Whether a submission that names no mode is answered with its result.
    sync_first: bool,
    /// `jobType` of a vertex filter, an edge filter and an algorithm: opaque numbers, taken from the samples.
    job_types: Option<[u8; 3]>,
    /// The text before the id of an unknown job.
    unknown_job: &'static str,
    /// The text before the id of a job that cannot be cancelled.
    not_cancellable: &'static str,
}

const DOCUMENT: Edition = Edition {
    name: "document",
    waiting: "waiting",
    running: "running",
    succeeded: "complete",
    failed: None,
    partly_failed: None,
    listed_succeeded: "complete",
    has_result: false,
    count: None,
    has_row_objects: false,
    sync_first: false,
    job_types: Some([0, 0, 1]),
    // Two blanks, as in the document's sample.
    unknown_job: "can not find job, jobId is  ",
    not_cancellable: "can not find job to cancel, id is ",
};

const MEMORY_2025: Edition = Edition {
    name: "memory-2025",
    waiting: "pending",
    running: "running",
    succeeded: "success",
    failed: Some("failed"),
    partly_failed: Some("partiallyFailed"),
    listed_succeeded: "success",
    has_result: false,
    count: None,
    has_row_objects: false,
    sync_first: false,
    job_types: Some([1, 0, 1]),
    unknown_job: "can not find job, jobId is  ",
    not_cancellable: "Can not find job to cancel, jobId is ",
};

const MEMORY_2025_ROWS: Edition =
    Edition { name: "memory-2025-rows", count: Some("jobCount"), has_row_objects: true, ..MEMORY_2025 };

const DATABASE: Edition = Edition {
    name: "database",
    waiting: "pending",
    running: "running",
    succeeded: "complete",
    failed: Some("failed"),
    partly_failed: None,
    listed_succeeded: "success",
    has_result: true,
    count: Some("totalCount"),
    has_row_objects: false,
    sync_first: true,
    job_types: None,
    unknown_job: "can not find job, jobId is ",
    not_cancellable: "can not find job to cancel, id is ",
};

/// The algorithms whose rows are objects in the newest pages.
const RANKS: [&str; 3] = ["pagerank", "personalrank", "kcore"];

impl Edition {
    const fn unfinished(&self, state: JobState) -> &'static str {
        match state {
            JobState::Waiting => self.waiting,
            JobState::Running { .. } | JobState::Complete(_) => self.running,
        }
    }

    /// The member `result`, of a query that went well or did not.
    const fn result(&self, went_well: bool) -> &'static str {
        match (self.has_result, went_well) {
            (false, _) => "",
            (true, true) => r#","result":"success""#,
            (true, false) => r#","result":"failed""#,
        }
    }

    /// The end of an answer about a job: its state, what the edition adds, and the brace of the whole.
    fn end(&self, status: &str, went_well: bool) -> Vec<u8> {
        [r#""status":""#, status, "\"", self.result(went_well), "}"].concat().into_bytes()
    }
}

/// Answers to a status query.
impl Dialect {
    /// The dialect of this [name](Self::name).
    ///
    /// ```
    /// use job_core::wire::Dialect;
    ///
    /// assert_eq!(Dialect::named("database"), Some(Dialect::Database));
    /// assert_eq!(Dialect::named("later"), None);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The error of a list of jobs about a graph that is not there, in place of 404. `None` if the edition has no error of
    /// its own for it.
    #[must_use]
    pub fn no_graph_to_list(self, name: &str) -> Option<ApiError> {
        let message = || format!("graph : {} not exist", shown(name));
        self.edition().has_result.then(|| ApiError::new(ErrorCode::ParameterFormat, message()))
    }

    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Document, Self::Memory2025, Self::Memory2025Rows, Self::Database];

    const fn edition(self) -> &'static Edition {
        match self {
            Self::Document => &DOCUMENT,
            Self::Memory2025 => &MEMORY_2025,
            Self::Memory2025Rows => &MEMORY_2025_ROWS,
            Self::Database => &DATABASE,
        }
    }

    /// The name of the dialect, such as `memory-2025`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.edition().name
    }

    /// Whether an algorithm whose request names no `executionMode` is answered with its result. `sync` is the default of
    /// the database edition, and `async` that of the others.
    #[must_use]
    pub const fn is_sync_first(self) -> bool {
        self.edition().sync_first
    }

    /// Whether the answer about this job needs its result: the job succeeded, or it kept rows and the dialect
    /// shows them.
    #[must_use]
    pub const fn shows_result(self, record: &JobRecord) -> bool {
        match record.state {
            JobState::Complete(Outcome::Succeeded) => true,
            JobState::Complete(_) => record.size.rows > 0 && self.edition().partly_failed.is_some(),
            JobState::Waiting | JobState::Running { .. } => false,
        }
    }

    /// The answer about a job. `result` is read only if the answer [shows](Self::shows_result) it.
    ///
    /// A job that succeeded but whose `result` is missing is an internal error, never an empty success.
    #[must_use]
    pub fn status(self, record: &JobRecord, result: Option<&JobResult>, page: PageRequest) -> StatusPayload {
        let edition = self.edition();
        let result = result.filter(|_| self.shows_result(record));
        match (ApiError::of_job(record), record.state, result) {
            (Some(_), _, Some(kept)) => {
                let status = edition.partly_failed.unwrap_or(edition.succeeded);
                self.rows_of(record, StatusPayload::page(kept, page, &edition.end(status, true)))
            }
            (Some(error), _, None) => self.ended_badly(error.code.as_str(), &error.message),
            (None, JobState::Complete(_), Some(result)) => {
                self.rows_of(record, StatusPayload::page(result, page, &edition.end(edition.succeeded, true)))
            }
            (None, JobState::Complete(_), None) => {
                let missing = format!("the result of job {} is missing", record.id);
                self.error(&ApiError::new(ErrorCode::JobQueryInternal, missing))
            }
            (None, unfinished, _) => StatusPayload::bare(&edition.end(edition.unfinished(unfinished), true)),
        }
    }

    /// The answer about a job that failed or was cancelled, with this code in place of GES.8301. `None` if the answer about
    /// the job is another one.
    #[must_use]
    pub fn failure(self, record: &JobRecord, code: &str) -> Option<StatusPayload> {
        let error = ApiError::of_job(record).filter(|_| !self.shows_result(record))?;
        Some(self.ended_badly(code, &error.message))
    }

    /// The page of a result, with its rows in the form of the edition.
    pub(super) fn rows_of(self, record: &JobRecord, payload: StatusPayload) -> StatusPayload {
        let is_rank = matches!(record.spec.kind(), JobKind::Algorithm(name) if RANKS.contains(&&**name));
        if is_rank && self.edition().has_row_objects { payload.with_row_objects() } else { payload }
    }

    fn ended_badly(self, code: &str, message: &str) -> StatusPayload {
        let edition = self.edition();
        match edition.failed {
            Some(status) => StatusPayload::failed(code, message, &edition.end(status, false)),
            None => StatusPayload::whole(ErrorCode::JobQuery.http_status(), self.error_body(code, message)),
        }
    }

    /// The answer about a running job with its rows so far: `total` rows in the list `list`. It has the form of a
    /// page of a result.
    #[must_use]
    pub fn so_far(self, list: &str, total: u64, page: PageRequest) -> StatusPayload {
        let edition = self.edition();
        StatusPayload::so_far(list, total, page, &edition.end(edition.running, true))
    }

    /// The answer that is an error: `errorMessage` and `errorCode`, no status, no data.
    #[must_use]
    pub fn error(self, error: &ApiError) -> StatusPayload {
        StatusPayload::whole(error.code.http_status(), self.error_body(error.code.as_str(), &error.message))
    }

    /// The body of any answer that is an error, also with a code of the host's own.
    ///
    /// ```
    /// use job_core::wire::Dialect;
    ///
    /// let body = Dialect::Database.error_body("GES.8201", "labels[0] is unknown");
    /// assert_eq!(body, br#"{"errorMessage":"labels[0] is unknown","errorCode":"GES.8201","result":"failed"}"#);
    /// ```
    #[must_use]
    pub fn error_body(self, code: &str, message: &str) -> Vec<u8> {
        let mut body = payload::error_members(code, message);
        body.extend_from_slice(self.edition().result(false).as_bytes());
        body.push(b'}');
        body
    }

    /// The error about an unknown job. `id` may be any text, and the message repeats it.
    #[must_use]
    pub fn unknown_job(self, id: &str) -> ApiError {
        ApiError::new(ErrorCode::JobQuery, format!("{}{}", self.edition().unknown_job, shown(id)))
    }
}

/// Answers to requests other than a status query.
impl Dialect {
    /// The acknowledgement of a job. It has no `jobType` for a kind of work that the edition does not know.
    ///
    /// ```
    /// use job_core::{JobId, JobKind, wire::Dialect};
    ///
    /// let id: JobId = "018bcfe5-6800-7000-8000-000000000000".parse()?;
    /// let body = Dialect::Memory2025.acknowledged(id, Some(&JobKind::VertexFilter));
    /// assert_eq!(body, br#"{"jobId":"018bcfe5-6800-7000-8000-000000000000","jobType":1}"#);
    /// # Ok::<(), job_core::InvalidJobId>(())
    /// ```
    #[must_use]
    pub fn acknowledged(self, id: JobId, kind: Option<&JobKind>) -> Vec<u8> {
        format!("{{{}}}", self.id_members(id, kind)).into_bytes()
    }

    /// The members that tell a job's id and kind.
    pub(super) fn id_members(self, id: JobId, kind: Option<&JobKind>) -> String {
        match kind.and_then(|kind| self.job_type(kind)) {
            Some(number) => format!(r#""jobId":"{id}","jobType":{number}"#),
            None => format!(r#""jobId":"{id}""#),
        }
    }

    /// The number of a kind of work; `None` if the edition has no such numbers.
    pub(super) const fn job_type(self, kind: &JobKind) -> Option<u8> {
        let Some([vertices, edges, algorithm]) = self.edition().job_types else { return None };
        Some(match kind {
            JobKind::VertexFilter => vertices,
            JobKind::EdgeFilter => edges,
            // The pages give Cypher, GQL and filtered queries the number of algorithms.
            JobKind::Algorithm(_) | JobKind::Action(_) => algorithm,
        })
    }

    /// The word for a job that has not ended.
    pub(super) const fn unfinished(self, state: JobState) -> &'static str {
        self.edition().unfinished(state)
    }

    /// The member `result` with the comma before it; empty in editions without it.
    pub(super) const fn result_member(self, went_well: bool) -> &'static str {
        self.edition().result(went_well)
    }

    /// The answer to a cancel that was taken.
    #[must_use]
    pub const fn cancelled(self) -> &'static [u8] {
        if self.edition().has_result { br#"{"result":"success"}"# } else { b"{}" }
    }

    /// The error about a cancel of an unknown job or of one that has ended.
    #[must_use]
    pub fn not_cancellable(self, id: &str) -> ApiError {
        ApiError::new(ErrorCode::JobCancel, format!("{}{}", self.edition().not_cancellable, shown(id)))
    }

    /// The state of a job in a list. Lists tell failed jobs apart in every edition.
    const fn listed(self, record: &JobRecord) -> &'static str {
        let edition = self.edition();
        match (record.state, edition.partly_failed) {
            (JobState::Complete(Outcome::Succeeded), _) => edition.listed_succeeded,
            (JobState::Complete(_), Some(partly)) if record.size.rows > 0 => partly,
            (JobState::Complete(_), _) => "failed",
            (unfinished, _) => edition.unfinished(unfinished),
        }
    }

    /// A job in a list; `percent` is how far it is, while it runs, and `url` is where its request was sent.
    ///
    /// ```
    /// use job_core::{JobId, JobRecord, JobSpec, Timestamp, wire::Dialect};
    ///
    /// let id: JobId = "018bcfe5-6800-7000-8000-000000000000".parse()?;
    /// let spec = JobSpec::algorithm("pagerank").with_graph("movies");
    /// let waiting = JobRecord::waiting(id, spec, Timestamp::default());
    /// assert_eq!(serde_json::to_string(&Dialect::Document.listed_job(&waiting, 0, ""))?, concat!(
    ///     r#"{"jobId":"018bcfe5-6800-7000-8000-000000000000","#,
    ///     r#""rawRequest":"{\"algorithmName\":\"pagerank\",\"parameters\":{}}","taskType":"Algorithm","#,
    ///     r#""canStop":true,"progress":"0","startTime":"","endTime":"","status":"waiting"}"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn listed_job(self, record: &JobRecord, percent: u8, url: &str) -> ListedJob {
        let status = self.listed(record);
        match self {
            Self::Database => ListedJob::asked(record, url, status),
            _ => ListedJob::of(record, percent, status),
        }
    }

    /// A job in a list whose record cannot be read, for this reason.
    #[must_use]
    pub fn unreadable_job(self, id: JobId, reason: &str) -> ListedJob {
        ListedJob::unreadable(id, reason)
    }

    /// Whether a list says how many jobs there are in all.
    #[must_use]
    pub const fn counts_jobs(self) -> bool {
        self.edition().count.is_some()
    }

    /// The text before the first job of a list. Jobs have a comma between every two.
    #[must_use]
    pub const fn list_head(self) -> &'static [u8] {
        br#"{"jobs":["#
    }

    /// The text after the last job of a list, of `total` jobs in all.
    #[must_use]
    pub fn list_tail(self, total: u64) -> Vec<u8> {
        let edition = self.edition();
        let count = edition.count.map(|name| format!(r#","{name}":{total}"#)).unwrap_or_default();
        format!("]{count}{}}}", edition.result(true)).into_bytes()
    }
}
