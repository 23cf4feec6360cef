//! Records and results as bytes, for stores that keep bytes. Later versions of this library read what this one
//! writes.
//!
//! ```
//! use job_core::{JobId, JobRecord, JobSpec, Timestamp};
//! use job_store::codec;
//!
//! let now = Timestamp::from_micros(1);
//! let record = JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now);
//! let mut bytes = codec::encode_record(&record);
//! assert_eq!(codec::decode_record(record.id, &bytes), Ok(record.clone()));
//! bytes.pop();
//! assert!(codec::decode_record(record.id, &bytes).is_err());
//! ```
//!
//! `version: u8 | kind: u8 | bincode body | xxh3-64 of all before: u64 big-endian`. The envelope exists because
//! bincode decodes most damaged bytes to a wrong value without an error. The stored types are separate from
//! `job-core`'s so that those may change without changing the disk. No other module knows bincode.

use std::{borrow::Cow, collections::BTreeSet, slice};

use bincode::{BorrowDecode, Decode, Encode, config};
use job_core::{
    Budget, FailedAttempt, Failure, FailureKind, JobClass, JobId, JobKind, JobOptions, JobRecord, JobResult,
    JobSpec, JobState, LaterFields, Outcome, Outputs, Parameters, ResultSize, RowList, Segment, Timestamp,
};
use serde_json::value::RawValue;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

/// The version of the envelope and of every body in it.
const VERSION: u8 = 1;
/// The envelope of a record that has, in one byte after it, the progress at the stop. This library reads it, and
/// no longer writes it.
const VERSION_WITH_PROGRESS: u8 = 2;
/// The envelope of a record that has fields after it, each with a tag. A value that is not set has no field. A
/// field that is added later needs no other version.
const VERSION_WITH_FIELDS: u8 = 3;
/// The tags of fields.
mod tag {
    /// One byte: the progress at the stop, in percent.
    pub(super) const PROGRESS: u8 = 1;
    /// Text.
    pub(super) const OWNER: u8 = 2;
    /// Text; one field for each label.
    pub(super) const LABEL: u8 = 3;
    /// Text: the place in a trace.
    pub(super) const TRACE: u8 = 4;
    /// Text: the body of the request.
    pub(super) const RAW_REQUEST: u8 = 5;
    /// Text; one field for each parameter that was left out.
    pub(super) const IGNORED: u8 = 6;
    /// The 16 bytes of the id of a job: the one that is run again.
    pub(super) const AGAIN_OF: u8 = 7;
}
pub(crate) const RECORD: u8 = b'J';
pub(crate) const RESULT: u8 = b'R';
const CHECKPOINT: u8 = b'C';
pub(crate) const FAILURES: u8 = b'A';
const CHECKSUM: usize = 8;
/// The most bytes that a decoder allocates, even if a body with a right checksum claims a greater length.
const MAX_DECODED: usize = 256 << 20;
/// The most bytes of memory for a byte of a well-formed body. The list of outputs needs 16.
const GROWTH: usize = 64;
const SMALL: usize = 1 << 10;
const MEDIUM: usize = 64 << 10;

/// Bytes that are no record, result, checkpoint or list of failed attempts of the job that they were stored for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Bytes are missing.
    #[error("the bytes are cut short")]
    Torn,
    /// A byte has changed.
    #[error("the checksum does not match")]
    Checksum,
    /// A later version of this library wrote the bytes.
    #[error(
        "format version {0} is unknown, this library reads {VERSION} and of records up to {VERSION_WITH_FIELDS}"
    )]
    Version(u8),
    /// The bytes are of another kind, such as a result in place of a record.
    #[error("the bytes are of another kind")]
    Kind,
    /// The body cannot be read, for this reason.
    #[error("the body cannot be read: {0}")]
    Body(String),
    /// The bytes were stored for this job.
    #[error("the bytes are of job {0}")]
    OtherJob(JobId),
}

/// The bytes of a record.
#[must_use]
pub fn encode_record(record: &JobRecord) -> Vec<u8> {
    let stored = StoredRecord::from(record);
    let fields = fields(record);
    // A record without fields has the bytes of version 1.
    if fields.is_empty() {
        seal(VERSION, RECORD, &stored)
    } else {
        seal(VERSION_WITH_FIELDS, RECORD, &(stored, fields))
    }
}

/// Reads a record that was stored under `id`.
///
/// # Errors
/// When the bytes were changed, belong to another job, or are of an unknown version.
pub fn decode_record(id: JobId, bytes: &[u8]) -> Result<JobRecord, DecodeError> {
    let record = match bytes.first() {
        Some(&VERSION_WITH_FIELDS) => {
            let (stored, fields): (StoredRecord<'_>, Vec<Field<'_>>) = open(VERSION_WITH_FIELDS, RECORD, bytes)?;
            stored.with_fields(fields)?
        }
        Some(&VERSION_WITH_PROGRESS) => {
            let (stored, percent): (StoredRecord<'_>, u8) = open(VERSION_WITH_PROGRESS, RECORD, bytes)?;
            stored.with_fields(vec![Field { tag: tag::PROGRESS, value: &[percent] }])?
        }
        _ => open::<StoredRecord<'_>>(VERSION, RECORD, bytes)?.with_fields(Vec::new())?,
    };
    if record.id == id { Ok(record) } else { Err(DecodeError::OtherJob(record.id)) }
}

/// The bytes of the result of a job.
#[must_use]
pub fn encode_result(id: JobId, result: &JobResult) -> Vec<u8> {
    seal(VERSION, RESULT, &StoredResult::new(id, result))
}

/// Reads a result that was stored under `id`.
///
/// # Errors
/// When the bytes were changed, belong to another job, or are of an unknown version.
pub fn decode_result(id: JobId, bytes: &[u8]) -> Result<JobResult, DecodeError> {
    let stored: StoredResult = open(VERSION, RESULT, bytes)?;
    let found = JobId::from_bytes(stored.id);
    if found == id { stored.into_result() } else { Err(DecodeError::OtherJob(found)) }
}

/// The stored bytes of a checkpoint: the job's id, then the handler's bytes unchanged.
#[must_use]
pub fn encode_checkpoint(id: JobId, checkpoint: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 + 16 + checkpoint.len() + CHECKSUM);
    bytes.extend_from_slice(&[VERSION, CHECKPOINT]);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(checkpoint);
    close(bytes)
}

/// Reads a checkpoint that was stored under `id`.
///
/// # Errors
/// When the bytes were changed, belong to another job, or are of an unknown version.
pub fn decode_checkpoint(id: JobId, bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let (found, checkpoint) =
        body(VERSION, CHECKPOINT, bytes)?.split_first_chunk::<16>().ok_or(DecodeError::Torn)?;
    if found == id.as_bytes() { Ok(checkpoint) } else { Err(DecodeError::OtherJob(JobId::from_bytes(*found))) }
}

/// The bytes of the failed attempts of a job.
#[must_use]
pub fn encode_failures(id: JobId, failed: &[FailedAttempt]) -> Vec<u8> {
    let failed: Vec<_> = failed.iter().map(StoredAttempt::from).collect();
    seal(VERSION, FAILURES, &(*id.as_bytes(), failed))
}

/// Reads failed attempts that were stored under `id`.
///
/// # Errors
/// When the bytes were changed, belong to another job, or are of an unknown version.
pub fn decode_failures(id: JobId, bytes: &[u8]) -> Result<Vec<FailedAttempt>, DecodeError> {
    let (found, failed): ([u8; 16], Vec<StoredAttempt<'_>>) = open(VERSION, FAILURES, bytes)?;
    if found != *id.as_bytes() {
        return Err(DecodeError::OtherJob(JobId::from_bytes(found)));
    }
    Ok(failed.into_iter().map(FailedAttempt::from).collect())
}

fn seal<T: Encode>(version: u8, kind: u8, body: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&[version, kind]);
    // Encoding owned data into a `Vec` does not fail. If it did, the body would be too short, and a decoder would
    // refuse it.
    let _ = bincode::encode_into_std_write(body, &mut bytes, config::standard());
    close(bytes)
}

/// The body in valid envelopes of each version, so that a fuzzer gets past the checksum.
#[cfg(feature = "fuzzing")]
pub(crate) fn envelopes(kind: u8, body: &[u8]) -> [Vec<u8>; 3] {
    [VERSION, VERSION_WITH_PROGRESS, VERSION_WITH_FIELDS].map(|version| close([&[version, kind], body].concat()))
}

fn close(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

fn open<'b, T: BorrowDecode<'b, ()>>(version: u8, kind: u8, bytes: &'b [u8]) -> Result<T, DecodeError> {
    let body = body(version, kind, bytes)?;
    let all = config::standard();
    // The limit is part of the type of a decoder, so there are three limits. With them a short body cannot claim
    // the memory of a long one.
    let decoded = if body.len() <= SMALL {
        bincode::borrow_decode_from_slice(body, all.with_limit::<{ SMALL * GROWTH }>())
    } else if body.len() <= MEDIUM {
        bincode::borrow_decode_from_slice(body, all.with_limit::<{ MEDIUM * GROWTH }>())
    } else {
        bincode::borrow_decode_from_slice(body, all.with_limit::<MAX_DECODED>())
    };
    let (value, read) = decoded.map_err(|e| DecodeError::Body(e.to_string()))?;
    if read == body.len() { Ok(value) } else { Err(DecodeError::Body("bytes are left over".to_owned())) }
}

/// The body inside an envelope of this version.
fn body(expected: u8, kind: u8, bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let (covered, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(DecodeError::Torn)?;
    let (&[version, found], body) = covered.split_first_chunk::<2>().ok_or(DecodeError::Torn)?;
    // The version comes before the checksum, since another version may have another checksum.
    if version != expected {
        return Err(DecodeError::Version(version));
    }
    if xxh3_64(covered) != u64::from_be_bytes(*checksum) {
        return Err(DecodeError::Checksum);
    }
    if found == kind { Ok(body) } else { Err(DecodeError::Kind) }
}

#[derive(Encode, BorrowDecode)]
struct StoredRecord<'b> {
    id: [u8; 16],
    kind: StoredKind<'b>,
    graph: Cow<'b, str>,
    parameters: Cow<'b, str>,
    options: StoredOptions<'b>,
    state: StoredState,
    revision: u64,
    attempt: u32,
    failed_attempts: u32,
    submitted_at: u64,
    started_at: Option<u64>,
    cancel_requested_at: Option<u64>,
    finished_at: Option<u64>,
    not_before: Option<u64>,
    failure: Option<StoredFailure<'b>>,
    rows: u64,
    bytes: u64,
}

#[derive(Encode, BorrowDecode)]
enum StoredKind<'b> {
    VertexFilter,
    EdgeFilter,
    Algorithm(Cow<'b, str>),
    // Later variants come last, so that the bytes of earlier records keep their meaning.
    Action(Cow<'b, str>),
}

#[derive(Encode, BorrowDecode)]
struct StoredOptions<'b> {
    priority: i8,
    write: bool,
    idempotency_key: Option<Cow<'b, str>>,
    graph_version: Option<Cow<'b, str>>,
    reuse: bool,
    deadline: Option<u64>,
    rows: Option<u64>,
    bytes: Option<u64>,
    memory: Option<u64>,
    keep_rows: bool,
    max_attempts: u32,
}

#[derive(Encode, Decode)]
enum StoredState {
    Waiting,
    Running,
    Cancelling,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Encode, BorrowDecode)]
struct StoredFailure<'b> {
    kind: u8,
    message: Cow<'b, str>,
}

#[derive(Encode, BorrowDecode)]
struct StoredAttempt<'b> {
    attempt: u32,
    started: u64,
    ended: u64,
    failure: StoredFailure<'b>,
}

impl<'b> From<&'b FailedAttempt> for StoredAttempt<'b> {
    fn from(failed: &'b FailedAttempt) -> Self {
        Self {
            attempt: failed.attempt,
            started: failed.started.as_micros(),
            ended: failed.ended.as_micros(),
            failure: StoredFailure::from(&failed.failure),
        }
    }
}

impl From<StoredAttempt<'_>> for FailedAttempt {
    fn from(stored: StoredAttempt<'_>) -> Self {
        Self {
            attempt: stored.attempt,
            started: Timestamp::from_micros(stored.started),
            ended: Timestamp::from_micros(stored.ended),
            failure: stored.failure.into(),
        }
    }
}

impl<'b> From<&'b JobRecord> for StoredRecord<'b> {
    fn from(record: &'b JobRecord) -> Self {
        Self {
            id: *record.id.as_bytes(),
            kind: match record.spec.kind() {
                JobKind::VertexFilter => StoredKind::VertexFilter,
                JobKind::EdgeFilter => StoredKind::EdgeFilter,
                JobKind::Algorithm(name) => StoredKind::Algorithm(Cow::Borrowed(name)),
                JobKind::Action(name) => StoredKind::Action(Cow::Borrowed(name)),
            },
            graph: Cow::Borrowed(record.spec.graph()),
            parameters: Cow::Borrowed(record.spec.parameters().as_str()),
            options: StoredOptions::from(record.spec.options()),
            state: match record.state {
                JobState::Waiting => StoredState::Waiting,
                JobState::Running { cancelling: false } => StoredState::Running,
                JobState::Running { cancelling: true } => StoredState::Cancelling,
                JobState::Complete(Outcome::Succeeded) => StoredState::Succeeded,
                JobState::Complete(Outcome::Failed) => StoredState::Failed,
                JobState::Complete(Outcome::Cancelled) => StoredState::Cancelled,
            },
            revision: record.revision,
            attempt: record.attempt,
            failed_attempts: record.failed_attempts,
            submitted_at: record.submitted_at.as_micros(),
            started_at: record.started_at.map(Timestamp::as_micros),
            cancel_requested_at: record.cancel_requested_at.map(Timestamp::as_micros),
            finished_at: record.finished_at.map(Timestamp::as_micros),
            not_before: record.not_before.map(Timestamp::as_micros),
            failure: record.failure.as_ref().map(StoredFailure::from),
            rows: record.size.rows,
            bytes: record.size.bytes,
        }
    }
}

/// A field after a record.
#[derive(Encode, BorrowDecode)]
struct Field<'b> {
    tag: u8,
    value: &'b [u8],
}

/// The fields of the values that the first version of a record did not have. Fields of later versions come last.
fn fields(record: &JobRecord) -> Vec<Field<'_>> {
    let options = record.spec.options();
    let progress = record.progress.as_ref().map(|percent| (tag::PROGRESS, slice::from_ref(percent)));
    let owner = options.owner.as_ref().map(|owner| (tag::OWNER, owner.as_bytes()));
    let trace = options.trace_parent.as_ref().map(|trace| (tag::TRACE, trace.as_bytes()));
    let body = options.raw_request.as_ref().map(|body| (tag::RAW_REQUEST, body.as_bytes()));
    let labels = options.labels.iter().map(|label| (tag::LABEL, label.as_bytes()));
    let ignored = options.ignored.iter().map(|name| (tag::IGNORED, name.as_bytes()));
    let again_of = options.again_of.as_ref().map(|job| (tag::AGAIN_OF, job.as_bytes().as_slice()));
    let all = progress.into_iter().chain(owner).chain(labels).chain(trace).chain(body).chain(ignored);
    let all = all.chain(again_of).chain(record.later.iter());
    all.map(|(tag, value)| Field { tag, value }).collect()
}

/// The values that the fields of a record hold.
#[derive(Default)]
struct Said {
    progress: Option<u8>,
    owner: Option<String>,
    trace: Option<String>,
    body: Option<String>,
    again_of: Option<JobId>,
    labels: BTreeSet<String>,
    ignored: BTreeSet<String>,
    later: Vec<(u8, Vec<u8>)>,
}

impl Said {
    fn by(fields: Vec<Field<'_>>) -> Result<Self, DecodeError> {
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).map_err(|e| DecodeError::Body(e.to_string()));
        let mut said = Self::default();
        for Field { tag, value } in fields {
            match (tag, value) {
                (tag::PROGRESS, [percent]) => said.progress = Some(*percent),
                (tag::PROGRESS, _) => return Err(DecodeError::Body("the progress is no byte".to_owned())),
                (tag::OWNER, owner) => said.owner = Some(text(owner)?),
                (tag::TRACE, trace) => said.trace = Some(text(trace)?),
                (tag::RAW_REQUEST, body) => said.body = Some(text(body)?),
                (tag::AGAIN_OF, job) => {
                    let wrong = |_| DecodeError::Body("the job that is run again has no id".to_owned());
                    said.again_of = Some(JobId::from_bytes(job.try_into().map_err(wrong)?));
                }
                (tag::LABEL, label) => {
                    said.labels.insert(text(label)?);
                }
                (tag::IGNORED, name) => {
                    said.ignored.insert(text(name)?);
                }
                (later, value) => said.later.push((later, value.to_vec())),
            }
        }
        Ok(said)
    }
}

impl StoredRecord<'_> {
    fn with_fields(self, fields: Vec<Field<'_>>) -> Result<JobRecord, DecodeError> {
        let stored = self;
        let Said { progress, owner, trace, body, again_of, labels, ignored, later } = Said::by(fields)?;
        let mut options = JobOptions::from(stored.options);
        (options.owner, options.labels, options.trace_parent, options.raw_request) = (owner, labels, trace, body);
        (options.ignored, options.again_of) = (ignored, again_of);
        let kind = match stored.kind {
            StoredKind::VertexFilter => JobKind::VertexFilter,
            StoredKind::EdgeFilter => JobKind::EdgeFilter,
            StoredKind::Algorithm(name) => JobKind::Algorithm(name.into_owned()),
            StoredKind::Action(name) => JobKind::Action(name.into_owned()),
        };
        let parameters =
            Parameters::from_text(stored.parameters.into_owned()).map_err(|e| DecodeError::Body(e.to_string()))?;
        Ok(JobRecord {
            id: JobId::from_bytes(stored.id),
            spec: JobSpec::new(kind)
                .with_graph(stored.graph.into_owned())
                .with_raw_parameters(parameters)
                .with_options(options)
                .into(),
            state: match stored.state {
                StoredState::Waiting => JobState::Waiting,
                StoredState::Running => JobState::Running { cancelling: false },
                StoredState::Cancelling => JobState::Running { cancelling: true },
                StoredState::Succeeded => JobState::Complete(Outcome::Succeeded),
                StoredState::Failed => JobState::Complete(Outcome::Failed),
                StoredState::Cancelled => JobState::Complete(Outcome::Cancelled),
            },
            revision: stored.revision,
            attempt: stored.attempt,
            failed_attempts: stored.failed_attempts,
            submitted_at: Timestamp::from_micros(stored.submitted_at),
            started_at: stored.started_at.map(Timestamp::from_micros),
            cancel_requested_at: stored.cancel_requested_at.map(Timestamp::from_micros),
            finished_at: stored.finished_at.map(Timestamp::from_micros),
            not_before: stored.not_before.map(Timestamp::from_micros),
            failure: stored.failure.map(Failure::from),
            size: ResultSize { rows: stored.rows, bytes: stored.bytes },
            progress,
            later: later.into_iter().collect::<LaterFields>(),
        })
    }
}

impl<'b> From<&'b JobOptions> for StoredOptions<'b> {
    fn from(options: &'b JobOptions) -> Self {
        Self {
            priority: options.priority,
            write: options.class == JobClass::Write,
            idempotency_key: options.idempotency_key.as_deref().map(Cow::Borrowed),
            graph_version: options.graph_version.as_deref().map(Cow::Borrowed),
            reuse: options.reuse,
            deadline: options.deadline.map(Timestamp::as_micros),
            rows: options.budget.rows,
            bytes: options.budget.bytes,
            memory: options.budget.memory,
            keep_rows: options.keep_rows,
            max_attempts: options.max_attempts,
        }
    }
}

impl From<StoredOptions<'_>> for JobOptions {
    fn from(stored: StoredOptions<'_>) -> Self {
        let mut options = Self::default();
        options.priority = stored.priority;
        options.class = if stored.write { JobClass::Write } else { JobClass::Read };
        options.idempotency_key = stored.idempotency_key.map(Cow::into_owned);
        options.graph_version = stored.graph_version.map(Cow::into_owned);
        options.reuse = stored.reuse;
        options.deadline = stored.deadline.map(Timestamp::from_micros);
        options.budget = Budget { rows: stored.rows, bytes: stored.bytes, memory: stored.memory };
        options.keep_rows = stored.keep_rows;
        options.max_attempts = stored.max_attempts;
        options
    }
}

impl<'b> From<&'b Failure> for StoredFailure<'b> {
    fn from(failure: &'b Failure) -> Self {
        let kind = match failure.kind {
            FailureKind::Panicked => 1,
            FailureKind::Interrupted => 2,
            FailureKind::Store => 3,
            FailureKind::Deadline => 4,
            FailureKind::RowBudget => 5,
            FailureKind::ByteBudget => 6,
            FailureKind::MemoryBudget => 7,
            FailureKind::Shutdown => 8,
            _ => 0,
        };
        Self { kind, message: Cow::Borrowed(&failure.message) }
    }
}

impl From<StoredFailure<'_>> for Failure {
    fn from(stored: StoredFailure<'_>) -> Self {
        let kind = match stored.kind {
            1 => FailureKind::Panicked,
            2 => FailureKind::Interrupted,
            3 => FailureKind::Store,
            4 => FailureKind::Deadline,
            5 => FailureKind::RowBudget,
            6 => FailureKind::ByteBudget,
            7 => FailureKind::MemoryBudget,
            8 => FailureKind::Shutdown,
            _ => FailureKind::Handler,
        };
        Self::new(kind, stored.message.into_owned())
    }
}

#[derive(Encode, BorrowDecode)]
struct StoredResult<'b> {
    id: [u8; 16],
    outputs: Vec<(Cow<'b, str>, Cow<'b, str>)>,
    list: Option<(Cow<'b, str>, Vec<StoredSegment>)>,
}

#[derive(Encode, Decode)]
struct StoredSegment {
    attempt: u32,
    number: u32,
    rows: u64,
    bytes: u64,
}

impl<'b> StoredResult<'b> {
    fn new(id: JobId, result: &'b JobResult) -> Self {
        let segment = |segment: &Segment| StoredSegment {
            attempt: segment.attempt,
            number: segment.number,
            rows: segment.rows,
            bytes: segment.bytes,
        };
        Self {
            id: *id.as_bytes(),
            outputs: result
                .outputs
                .iter()
                .map(|(name, json)| (Cow::Borrowed(name), Cow::Borrowed(json)))
                .collect(),
            list: result
                .list
                .as_ref()
                .map(|list| (Cow::Borrowed(list.name()), list.segments().iter().map(segment).collect())),
        }
    }

    fn into_result(self) -> Result<JobResult, DecodeError> {
        let mut outputs = Outputs::default();
        for (name, json) in self.outputs {
            let raw = RawValue::from_string(json.into_owned()).map_err(|e| DecodeError::Body(e.to_string()))?;
            outputs.push_raw(name.into_owned(), raw);
        }
        let segment = |stored: StoredSegment| Segment {
            attempt: stored.attempt,
            number: stored.number,
            rows: stored.rows,
            bytes: stored.bytes,
        };
        let list = self
            .list
            .map(|(name, segments)| RowList::new(name.into_owned(), segments.into_iter().map(segment).collect()));
        Ok(JobResult { outputs, list })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use job_core::{Event, strategies};
    use proptest::prelude::*;

    use super::*;

    fn record() -> JobRecord {
        record_of(JobSpec::algorithm("pagerank"))
    }

    fn record_of(spec: JobSpec) -> JobRecord {
        let at = Timestamp::from_micros;
        let spec = spec.with_graph("图").with_parameters(&serde_json::json!({"alpha": 0.85})).unwrap();
        let spec = spec.priority(-3).class(JobClass::Write).idempotency_key("nightly").graph_version("v7");
        let spec = spec
            .deadline(at(9_000))
            .max_rows(5)
            .max_bytes(6)
            .max_memory(7)
            .keep_rows()
            .max_attempts(2)
            .reuse_result();
        let waiting = JobRecord::waiting(JobId::from_parts(at(1_000), [9; 10]), spec, at(1_000));
        let running = waiting.apply(Event::Start, at(2_000)).unwrap();
        running.apply(Event::Fail(Failure::new(FailureKind::Panicked, "boom")), at(3_000)).unwrap()
    }

    fn result() -> JobResult {
        let mut outputs = Outputs::default();
        outputs.insert("runtime", &0.5).unwrap();
        let segments = vec![Segment { attempt: 1, number: 0, rows: 10, bytes: 100 }];
        JobResult { outputs, list: Some(RowList::new("pagerank", segments)) }
    }

    #[test]
    fn records_and_results_survive() {
        let record = record();
        assert_eq!(decode_record(record.id, &encode_record(&record)).unwrap(), record);
        assert_eq!(decode_result(record.id, &encode_result(record.id, &result())).unwrap(), result());
    }

    fn failures() -> Vec<FailedAttempt> {
        let at = Timestamp::from_micros;
        let failed = |attempt, kind| FailedAttempt {
            attempt,
            started: at(2_000),
            ended: at(3_000),
            failure: Failure::new(kind, "图 is busy"),
        };
        vec![failed(1, FailureKind::Handler), failed(3, FailureKind::Interrupted)]
    }

    #[test]
    fn failed_attempts_survive_and_a_change_of_them_is_found() {
        let id = record().id;
        let bytes = encode_failures(id, &failures());
        assert_eq!(decode_failures(id, &bytes), Ok(failures()));
        assert_eq!(decode_failures(id, &encode_failures(id, &[])), Ok(Vec::new()));
        assert_eq!(decode_failures(JobId::MAX, &bytes), Err(DecodeError::OtherJob(id)));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(decode_failures(id, &damaged).is_err(), "byte {at}");
            assert!(decode_failures(id, &bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_record_keeps_how_far_it_was_and_one_without_is_as_before() {
        for percent in [0, 2, 100] {
            let stopped = record().stopped_at(percent);
            let bytes = encode_record(&stopped);
            assert_eq!((bytes[0], decode_record(stopped.id, &bytes)), (3, Ok(stopped)));
        }
        assert_eq!(encode_record(&record())[0], 1);
    }

    fn labelled() -> JobRecord {
        let spec = JobSpec::clone(&record().spec).owner("Sarah").label("nightly").label("团队=搜索");
        JobRecord { spec: spec.into(), ..record() }.stopped_at(2)
    }

    /// A record with every field.
    fn marked() -> JobRecord {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let spec = JobSpec::clone(&labelled().spec)
            .trace_parent(trace)
            .raw_request("{ \"图\": 1 }")
            .ignoring(["图".to_owned()]);
        JobRecord { spec: spec.into(), ..labelled() }
    }

    #[test]
    fn a_record_of_the_second_version_is_read() {
        for percent in [0, 2, 100] {
            let mut bytes = encode_record(&record());
            bytes.truncate(bytes.len() - CHECKSUM);
            bytes[0] = 2;
            bytes.push(percent);
            assert_eq!(decode_record(record().id, &close(bytes)), Ok(record().stopped_at(percent)));
        }
    }

    #[test]
    fn owner_and_labels_survive_without_what_else_may_follow() {
        let labels = |count: usize| {
            let spec = JobSpec::clone(&record().spec);
            let spec = (0..count).fold(spec, |spec, n| spec.label(format!("label {n} {}", "x".repeat(240))));
            JobRecord { spec: spec.into(), ..record() }
        };
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = JobRecord { spec: JobSpec::clone(&record().spec).trace_parent(trace).into(), ..record() };
        let longest = "图".repeat(JobSpec::MAX_RAW_REQUEST / 3);
        let asked = JobRecord { spec: JobSpec::clone(&record().spec).raw_request(longest).into(), ..record() };
        let again = JobRecord { spec: JobSpec::clone(&record().spec).again_of(JobId::MAX).into(), ..record() };
        for record in [labelled(), labels(1), labels(16), traced, asked, again, marked()] {
            assert_eq!(decode_record(record.id, &encode_record(&record)), Ok(record));
        }
    }

    /// The bytes as the next version of the library would write them.
    #[test]
    fn fields_of_later_versions_are_kept() {
        let later = [(200, b"later".to_vec()), (255, Vec::new()), (200, vec![0xff])].into_iter().collect();
        let record = JobRecord { later, ..labelled() };
        let read = decode_record(record.id, &encode_record(&record)).unwrap();
        assert_eq!(read, record);
        let moved = JobRecord { progress: None, ..read }.keeping(ResultSize { rows: 1, bytes: 1 });
        let fields: Vec<_> =
            decode_record(record.id, &encode_record(&moved)).unwrap().later.iter().map(|(tag, _)| tag).collect();
        assert_eq!(fields, [200, 255, 200]);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        found(&record());
        found(&record().stopped_at(2));
        found(&labelled());
        found(&marked());
    }

    fn found(record: &JobRecord) {
        let bytes = encode_record(record);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_record(record.id, &flipped).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode_record(record.id, &bytes[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn another_jobs_record_another_kind_and_another_version_are_refused() {
        let bytes = encode_record(&record());
        assert_eq!(decode_record(JobId::MIN, &bytes), Err(DecodeError::OtherJob(record().id)));
        assert_eq!(decode_result(record().id, &bytes), Err(DecodeError::Kind));
        let mut newer = bytes;
        newer[0] = 4;
        assert_eq!(decode_record(record().id, &newer), Err(DecodeError::Version(4)));
        let mut newer = encode_result(record().id, &result());
        newer[0] = 2;
        assert_eq!(decode_result(record().id, &newer), Err(DecodeError::Version(2)));
    }

    /// A right checksum with a wrong length inside must not use up the memory.
    #[test]
    fn a_lying_length_is_an_error_not_an_allocation() {
        let mut bytes = vec![VERSION, RESULT];
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]);
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        assert!(matches!(decode_result(JobId::MIN, &bytes), Err(DecodeError::Body(_))));
    }

    /// A fuzzer found 48 bytes that asked for 240 MiB, when short and long bodies had the same limit.
    #[test]
    fn a_short_body_cannot_claim_the_memory_of_a_long_one() {
        let outputs = u64::try_from(2 * SMALL * GROWTH / size_of::<(String, String)>()).unwrap();
        let mut bytes = vec![VERSION, RESULT];
        bytes.extend_from_slice(&[0; 16]);
        bytes.push(0xfd);
        bytes.extend(outputs.to_be_bytes().into_iter().rev());
        let error = decode_result(JobId::MIN, &close(bytes)).unwrap_err();
        assert!(error.to_string().contains("LimitExceeded"), "{error}");
    }

    #[test]
    fn results_of_very_many_very_small_parts_stay_within_the_limits() {
        let segment = Segment { attempt: 1, number: 0, rows: 1, bytes: 1 };
        for parts in [10, 170, 300, 5_000, 11_000, 30_000, 300_000] {
            let mut outputs = Outputs::default();
            (0..parts).for_each(|_| outputs.push_raw(String::new(), RawValue::NULL.to_owned()));
            for result in [
                JobResult { outputs, list: None },
                JobResult { outputs: Outputs::default(), list: Some(RowList::new("l", vec![segment; parts])) },
            ] {
                assert_eq!(decode_result(JobId::MIN, &encode_result(JobId::MIN, &result)), Ok(result));
            }
        }
    }

    #[test]
    fn the_longest_list_and_the_most_outputs_can_be_read_back() {
        let segment = Segment { attempt: u32::MAX, number: u32::MAX, rows: 1, bytes: u64::MAX };
        let most = usize::try_from(RowList::MAX_SEGMENTS).unwrap();
        let mut outputs = Outputs::default();
        for number in 0..Outputs::MAX {
            outputs.insert(&format!("{number:0>256}"), &"x".repeat(700)).unwrap();
        }
        let result = JobResult { outputs, list: Some(RowList::new("l", vec![segment; most])) };
        assert!(decode_result(JobId::MIN, &encode_result(JobId::MIN, &result)) == Ok(result));
    }

    proptest! {
        #[test]
        fn any_record_is_read_back(record in strategies::records()) {
            prop_assert_eq!(decode_record(record.id, &encode_record(&record)), Ok(record));
        }

        #[test]
        fn any_bytes_decode_or_fail(body in prop::collection::vec(any::<u8>(), 0..300), kind in prop::sample::select(vec![RECORD, RESULT])) {
            let mut bytes = vec![VERSION, kind];
            bytes.extend_from_slice(&body);
            let checksum = xxh3_64(&bytes);
            bytes.extend_from_slice(&checksum.to_be_bytes());
            let _ = decode_record(JobId::MIN, &bytes);
            let _ = decode_result(JobId::MIN, &bytes);
            for version in [VERSION_WITH_PROGRESS, VERSION_WITH_FIELDS] {
                let _ = decode_record(JobId::MIN, &close([&[version, kind], &*body].concat()));
            }
        }
    }

    /// An action is stored as an algorithm is, but for the number of its kind. Records of earlier versions, which had no
    /// actions, keep their bytes.
    #[test]
    fn an_action_is_an_algorithm_with_another_number() {
        let record = record_of(JobSpec::action("pagerank"));
        let (algorithm, action) = (encode_record(&self::record()), encode_record(&record));
        let checksum = algorithm.len() - 8;
        let differing: Vec<_> = (0..checksum).filter(|&at| algorithm[at] != action[at]).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!((algorithm[differing[0]], action[differing[0]]), (2, 3));
        assert_eq!(decode_record(record.id, &action).unwrap(), record);
    }

    /// These are the bytes in `docs/format.md`, which must never change.
    #[test]
    fn golden_bytes() {
        let hex = |bytes: Vec<u8>| {
            bytes.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        assert_eq!(
            hex(encode_record(&record())),
            "014a0000000000017909890909090909090902087061676572616e6b03e59bbe0e7b22616c706861223a302e38357d\
             fd0101076e696768746c79010276370101fb2823010501060107010204020100fbe80301fbd0070001fbb80b00010104\
             626f6f6d0000d8b6af3a5e0964b1"
        );
        assert_eq!(
            hex(encode_record(&labelled())),
            "034a0000000000017909890909090909090902087061676572616e6b03e59bbe0e7b22616c706861223a302e38357d\
             fd0101076e696768746c79010276370101fb2823010501060107010204020100fbe80301fbd0070001fbb80b00010104\
             626f6f6d0000040101020205536172616803076e696768746c79030de59ba2e9989f3de6909ce7b4a221d42b513a7f6d5b"
        );
        assert_eq!(
            hex(encode_record(&marked())),
            "034a0000000000017909890909090909090902087061676572616e6b03e59bbe0e7b22616c706861223a302e38357dfd\
             0101076e696768746c79010276370101fb2823010501060107010204020100fbe80301fbd0070001fbb80b0001010462\
             6f6f6d0000070101020205536172616803076e696768746c79030de59ba2e9989f3de6909ce7b4a2043730302d346266\
             39326633353737623334646136613363653932396430653065343733362d303066303637616130626139303262372d30\
             31050c7b2022e59bbe223a2031207d0603e59bbe7223e4a685e42aeb"
        );
        assert_eq!(
            hex(encode_result(JobId::MIN, &result())),
            "015200000000000000000000000000000000010772756e74696d6503302e3501087061676572616e6b0101000a642bcf36cb1aa6b3e2"
        );
        assert_eq!(
            hex(encode_failures(JobId::MIN, &failures())),
            "0141000000000000000000000000000000000201fbd007fbb80b000be59bbe206973206275737903fbd007fbb8\
             0b020be59bbe2069732062757379e032adb2601aecb8"
        );
    }
}
