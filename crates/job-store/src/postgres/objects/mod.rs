//! Blocks of large segments as objects: files of an S3 bucket or a directory that are written once.
//!
//! An object is a run of blocks of one segment. It counts from the moment its row is in the table `objects`, which
//! is written behind the same fence as a block. An attempt is in the table `uploads` before it puts its first
//! object. So the objects that a crash leaves are found by name.

mod collect;
mod index;
mod place;
mod read;
#[cfg(feature = "s3")]
mod s3;
mod write;

use std::{
    collections::VecDeque,
    error::Error as _,
    fmt,
    future::Future,
    io,
    ops::Range,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bytes::Bytes;
use object_store::{Error, ObjectStore, ObjectStoreExt, path::Path};
use parking_lot::Mutex;
use tokio::{runtime::Handle, task::JoinHandle};

pub(super) use self::{place::Place, write::ObjectSegment};
use super::{
    Call, Inner, PostgresOptions, PostgresStore,
    runtime::unanswered,
    wait::{self, wait},
};
use crate::{ErrorKind, StoreError};

/// The place for blocks of large segments, and the size from which a segment is large.
///
/// All stores on one database must use the same place, since a store reads objects that another wrote.
///
/// ```
/// use job_store::{ObjectOptions, PostgresOptions};
///
/// let objects = ObjectOptions::at("file:///mnt/shared/blocks").small_segment(1 << 20);
/// let options = PostgresOptions::default().objects(objects);
/// assert!(options.objects.is_some());
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectOptions {
    /// `file:///directory`, which is made if it is missing and which all engines must see. With the feature `s3`
    /// also `s3://bucket/prefix`, whose bucket must exist. Other URLs need their feature of `object_store`, or a
    /// host that brings the object store to [`open_with_objects`](PostgresStore::open_with_objects).
    pub url: String,
    /// Settings that an S3 URL does not hold, by the names of the environment's variables. `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY` are the keys, `AWS_REGION` the region. `AWS_ENDPOINT` is for a service other than
    /// Amazon's, `AWS_ALLOW_HTTP` (`true`) for one without TLS. There are
    /// [more](https://docs.rs/object_store/0.14/object_store/aws/enum.AmazonS3ConfigKey.html). Variables of the
    /// environment that start with `AWS_` count for settings that are absent here. Default: none.
    pub settings: Vec<(String, String)>,
    /// Bytes up to which a segment is kept in the database. It is gathered in the memory of its writer. Default: 4 MiB.
    pub small_segment: usize,
    /// Bytes of an object, to within a block; the last object of a segment is smaller. A writer holds up to two of
    /// them in memory: it gathers one while the other is sent. Default: 8 MiB.
    pub object_bytes: usize,
    /// Bytes of the latest reads that are kept in memory, for pages that are read in several calls. Default: 64
    /// MiB.
    pub cache_bytes: usize,
}

impl ObjectOptions {
    /// The options for this URL, with the defaults.
    pub fn at(url: impl Into<String>) -> Self {
        let (small_segment, object_bytes, cache_bytes) = (4 << 20, 8 << 20, 64 << 20);
        Self { url: url.into(), settings: Vec::new(), small_segment, object_bytes, cache_bytes }
    }

    /// Sets [`settings`](#structfield.settings).
    #[must_use]
    pub fn settings(mut self, settings: Vec<(String, String)>) -> Self {
        self.settings = settings;
        self
    }

    /// Sets [`small_segment`](#structfield.small_segment).
    #[must_use]
    pub const fn small_segment(mut self, small_segment: usize) -> Self {
        self.small_segment = small_segment;
        self
    }

    /// Sets [`object_bytes`](#structfield.object_bytes).
    #[must_use]
    pub const fn object_bytes(mut self, object_bytes: usize) -> Self {
        self.object_bytes = object_bytes;
        self
    }

    /// Sets [`cache_bytes`](#structfield.cache_bytes).
    #[must_use]
    pub const fn cache_bytes(mut self, cache_bytes: usize) -> Self {
        self.cache_bytes = cache_bytes;
        self
    }

    /// Connects to the object store at the URL, for a host that wraps it (to count, limit or delay requests). The
    /// host gives the wrapper to [`open_with_objects`](PostgresStore::open_with_objects). No request is sent yet.
    /// Its requests have to be made on a runtime of tokio. Make one for each job store. Its connections end with
    /// the runtime that made them, and the next request on one of those fails.
    ///
    /// TLS is rustls. If the process has not chosen its cryptography before the first S3 URL, that becomes *ring*.
    ///
    /// ```
    /// use job_store::ObjectOptions;
    ///
    /// # let directory = std::env::temp_dir().join("job-store-doc-connect");
    /// # let url = format!("file://{}", directory.display());
    /// let objects = ObjectOptions::at(url).connect()?;
    /// # std::fs::remove_dir_all(directory).ok();
    /// # Ok::<(), job_store::StoreError>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` when the URL or a setting is not valid, or the directory cannot be made.
    pub fn connect(&self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        Place::open(Call::opening("open the object store"), self).map(|place| place.store)
    }
}

impl fmt::Debug for ObjectOptions {
    /// Leaves out possible secrets: the values of the settings, and a user in the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.parse().map_or_else(|_| String::new(), |url| place::shown(&url));
        let names: Vec<_> = self.settings.iter().map(|(name, _)| name).collect();
        f.debug_struct("ObjectOptions")
            .field("url", &url)
            .field("settings", &names)
            .field("small_segment", &self.small_segment)
            .field("object_bytes", &self.object_bytes)
            .field("cache_bytes", &self.cache_bytes)
            .finish()
    }
}

impl PostgresStore {
    /// As [`open`](Self::open), with an object store that the host has made: one of another cloud, or one that is
    /// watched. The URL of [`PostgresOptions::objects`] is not used. If that option is `None`, its defaults hold.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_objects(
        url: &str,
        options: PostgresOptions,
        objects: Arc<dyn ObjectStore>,
    ) -> Result<Self, StoreError> {
        Self::open_at(url, options, Place::of_host(objects))
    }

    pub(super) fn open_at(url: &str, options: PostgresOptions, place: Place) -> Result<Self, StoreError> {
        let call = Call::opening("open the store");
        let mut inner = Inner::open(call, url, options)?;
        let options = inner.options.objects.clone().unwrap_or_else(|| ObjectOptions::at(""));
        let runtime = inner.runtime.handle().clone();
        let timeout = inner.options.timeout;
        inner.objects = Some(Objects {
            place,
            options,
            runtime,
            timeout,
            cache: Mutex::default(),
            collecting: Mutex::default(),
            is_due: AtomicBool::default(),
        });
        let store = Self { inner: Arc::new(inner) };
        store.objects(call)?.check(call)?;
        store.fill()?;
        store.collect_soon();
        Ok(store)
    }

    fn objects(&self, call: Call) -> Result<&Objects, StoreError> {
        self.inner.objects.as_ref().ok_or_else(|| call.failed(ErrorKind::Invalid, "the store has no object store"))
    }
}

/// The object store as the rest of the store uses it. Requests run on the runtime of the connections.
pub(super) struct Objects {
    place: Place,
    options: ObjectOptions,
    runtime: Handle,
    timeout: Duration,
    cache: Mutex<Cache>,
    /// Held while objects are collected, so that one thread at a time collects.
    collecting: Mutex<()>,
    /// Whether a collection is due.
    is_due: AtomicBool,
}

type Request<T> = JoinHandle<Result<T, Error>>;

impl Objects {
    /// Checks that the place can be used before anything relies on it. A missing bucket or a wrong key would
    /// otherwise fail the first large result, hours later.
    fn check(&self, call: Call) -> Result<(), StoreError> {
        if self.place.directory.is_some() {
            return Ok(());
        }
        // The check reads an object and lists none: the error of a list does not tell a wrong key from a network
        // that is down.
        let store = self.place.store.clone();
        let ask = async move { store.get(&Path::from("none")).await };
        match self.answer(call, self.start(ask))? {
            Err(error) if is_bucket_missing(&error) => {
                Err(call.failed(ErrorKind::Invalid, "the bucket of the objects does not exist"))
            }
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure(call, &error)),
        }
    }

    /// Starts a request.
    fn start<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Request<T> {
        self.runtime.spawn(request)
    }

    /// Waits for the answer of the object store until the deadline.
    fn answer<T>(&self, call: Call, request: Request<T>) -> Result<Result<T, Error>, StoreError> {
        let abort = request.abort_handle();
        match wait(request, wait::deadline(self.timeout)) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(ended)) => Err(call.failed(ErrorKind::Unavailable, unanswered(&ended))),
            None => {
                abort.abort();
                Err(call.failed(ErrorKind::Unavailable, "the object store did not answer in time"))
            }
        }
    }
}

/// Asks again for some 6 s while the object store does not accept the keys. After a change of keys, it may refuse
/// old or new ones for a moment. The client itself retries other failures that pass.
async fn admitted<T, F: Future<Output = Result<T, Error>>>(ask: impl Fn() -> F) -> Result<T, Error> {
    const PAUSES: [u64; 6] = [100, 200, 400, 800, 1_600, 3_200];
    for pause in PAUSES {
        match ask().await {
            Err(error) if is_denied(&error) => tokio::time::sleep(Duration::from_millis(pause)).await,
            answer => return answer,
        }
    }
    ask().await
}

const fn is_denied(error: &Error) -> bool {
    matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
}

/// The error of the object store, in one sentence. It holds no secret: secrets are in headers, which no error
/// repeats.
fn failure(call: Call, error: &Error) -> StoreError {
    let kind = match error {
        // The place itself is missing; a missing object is handled elsewhere.
        Error::NotFound { .. } => call.misfit(),
        _ if is_denied(error) => call.misfit(),
        Error::InvalidPath { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. }
        | Error::UnknownConfigurationKey { .. } => ErrorKind::Invalid,
        _ if is_full(error) => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    };
    call.failed(kind, format!("the object store says: {error}"))
}

/// Whether the bucket is missing, and not only the object. The element of the answer shows it. A key that contains
/// the word has no tags around it, since both URL and XML escape them.
fn is_bucket_missing(error: &Error) -> bool {
    const CODE: &str = "<Code>NoSuchBucket</Code>";
    matches!(error, Error::NotFound { source, .. } if source.to_string().contains(CODE))
}

fn is_full(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let full = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(full, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// Parts of objects that were read last. Objects never change, so no part is stale.
#[derive(Default)]
struct Cache {
    parts: VecDeque<Part>,
    bytes: usize,
}

struct Part {
    name: String,
    range: Range<u64>,
    bytes: Bytes,
}

impl Cache {
    /// The bytes `wanted` of an object, and the bytes after them that were read ahead.
    fn get(&mut self, name: &str, wanted: &Range<u64>) -> Option<Bytes> {
        let holds =
            |part: &Part| part.name == name && part.range.start <= wanted.start && wanted.end <= part.range.end;
        let at = self.parts.iter().rposition(holds)?;
        let part = self.parts.remove(at)?;
        let skip = usize::try_from(wanted.start - part.range.start).ok()?;
        let bytes = part.bytes.slice(skip..);
        self.parts.push_back(part);
        Some(bytes)
    }

    fn put(&mut self, part: Part, most: usize) {
        if part.bytes.len() > most {
            return;
        }
        self.bytes += part.bytes.len();
        self.parts.push_back(part);
        while self.bytes > most {
            let Some(oldest) = self.parts.pop_front() else { return };
            self.bytes -= oldest.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_store_that_refuses_for_now_may_be_asked_again() {
        let source = || "403 Forbidden".into();
        let errors = || {
            [
                Error::PermissionDenied { path: String::new(), source: source() },
                Error::Unauthenticated { path: String::new(), source: source() },
                Error::NotFound {
                    path: String::new(),
                    source: "404: <Error><Code>NoSuchBucket</Code></Error>".into(),
                },
            ]
        };
        for error in errors() {
            assert!(failure(Call::new("append rows"), &error).kind.is_retryable(), "{error}");
        }
        // At the opening these errors ask the user to change something.
        for error in errors() {
            assert_eq!(failure(Call::opening("open the store"), &error).kind, ErrorKind::Invalid, "{error}");
        }
        // An object whose key contains the word is only a missing object.
        let named = "404: <Error><Code>NoSuchKey</Code><Key>NoSuchBucket/1</Key></Error>".into();
        assert!(!is_bucket_missing(&Error::NotFound { path: String::new(), source: named }));
        // 429, 5xx and a request without an answer.
        let other = Error::Generic { store: "S3", source: "503 Slow Down".into() };
        assert_eq!(failure(Call::opening("open the store"), &other).kind, ErrorKind::Unavailable);
    }
}
