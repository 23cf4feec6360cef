//! Faults that only a store with an object store can have.

use std::{
    fmt, fs,
    ops::{ControlFlow, Range},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use job_core::{Event, Failure, FailureKind, JobRecord, JobResult, RowList, Timestamp};
use job_store::{
    BlockBuilder, Durability, ErrorKind, JobStore, ObjectOptions, Packing, PostgresStore, ResultStore, SegmentKey,
    SegmentWriter, SharedStore, Store, StoreError,
    conformance::{Fixture, SharedFixture},
    object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
        ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
    },
    verify,
};
use parking_lot::Mutex;
#[cfg(feature = "s3")]
use test_servers::S3;

use crate::postgres::{Schema, start};

/// Limits so low that nearly every segment becomes objects.
fn low(url: impl Into<String>) -> ObjectOptions {
    ObjectOptions::at(url).small_segment(100).object_bytes(300)
}

/// A schema, and a place for its objects whose requests are watched.
pub struct Place {
    schema: Schema,
    objects: Arc<Watch>,
    /// A client for requests without a job store. It has connections of its own, as each store has.
    own: Arc<dyn ObjectStore>,
    runtime: tokio::runtime::Runtime,
    server: Server,
}

/// The owner of a place. It lives as long as the place.
enum Server {
    Directory(tempfile::TempDir),
    #[cfg(feature = "s3")]
    S3(#[expect(dead_code, reason = "it ends some time after this is dropped")] S3),
}

impl Place {
    /// `None` if there is no PostgreSQL.
    pub fn directory() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("file://{}/objects", directory.path().display());
        Self::at(low(url), Server::Directory(directory))
    }

    /// `None` if there is no PostgreSQL or no S3 server.
    #[cfg(feature = "s3")]
    pub fn s3() -> Option<Self> {
        let server = S3::open().unwrap()?;
        Self::at(low(S3::url()).settings(server.settings()), Server::S3(server))
    }

    fn at(options: ObjectOptions, server: Server) -> Option<Self> {
        let mut schema = Schema::new()?;
        let own = options.connect().unwrap();
        schema.options.objects = Some(options);
        // The tests of objects count them by the bytes of their rows.
        schema.options.packing = Packing::None;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Some(Self { schema, objects: Arc::default(), own, runtime, server })
    }

    /// The place of a store with this packing.
    pub fn packed(mut self, packing: Packing) -> Self {
        self.schema.options.packing = packing;
        self
    }

    /// Opens a store whose options name the place by its URL.
    fn plain(&self) -> PostgresStore {
        self.schema.store()
    }

    /// A store whose requests for objects are watched.
    fn store(&self) -> PostgresStore {
        self.store_with(|_| ())
    }

    /// A watched store with other limits.
    fn store_with(&self, limits: impl FnMut(&mut ObjectOptions)) -> PostgresStore {
        let mut options = self.schema.options.clone();
        let inner = options.objects.as_ref().unwrap().connect().unwrap();
        let objects = Arc::new(Watched { inner, watch: Arc::clone(&self.objects) });
        options.objects.iter_mut().for_each(limits);
        PostgresStore::open_with_objects(self.schema.server.url(), options, objects).unwrap()
    }

    /// The names of all objects, sorted.
    fn objects(&self) -> Vec<Path> {
        let list = self.own.list(None).map_ok(|found| found.location);
        let mut names: Vec<Path> = self.runtime.block_on(list.try_collect()).unwrap();
        names.sort();
        names
    }

    fn put(&self, name: &Path, bytes: Vec<u8>) {
        self.runtime.block_on(self.own.put(name, bytes.into())).unwrap();
    }

    fn get(&self, name: &Path) -> Vec<u8> {
        let whole = async { self.own.get(name).await?.bytes().await };
        self.runtime.block_on(whole).unwrap().to_vec()
    }

    fn delete(&self, name: &Path) {
        self.runtime.block_on(self.own.delete(name)).unwrap();
    }
}

impl Fixture for Place {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.plain())
    }
}

impl SharedFixture for Place {
    fn open(&self) -> Arc<dyn SharedStore> {
        Arc::new(self.plain())
    }
}

/// Runs a test in every kind of place.
macro_rules! everywhere {
    ($($law:ident)*) => {
        mod directory {
            $(
                #[test]
                fn $law() {
                    if let Some(place) = super::Place::directory() {
                        super::laws::$law(&place);
                    }
                }
            )*
        }
        #[cfg(feature = "s3")]
        mod s3 {
            $(
                #[test]
                fn $law() {
                    if let Some(place) = super::Place::s3() {
                        super::laws::$law(&place);
                    }
                }
            )*
        }
    };
}

everywhere! {
    a_page_is_a_ranged_read_for_each_object_it_lies_in
    a_page_that_is_read_block_by_block_is_fetched_once
    small_segments_stay_in_the_database_and_large_ones_leave_it
    objects_of_a_removed_job_are_deleted_and_no_others
    an_object_without_its_row_is_no_rows_and_is_collected
    what_a_dead_process_left_is_collected_by_the_next_that_opens
    a_writer_whose_attempt_is_over_leaves_nothing
    a_damaged_object_is_an_error_that_says_what_and_where
    keys_that_are_refused_for_a_moment_fail_nothing
    a_store_without_the_object_store_says_that_it_needs_it
}

#[derive(Debug)]
struct Watched {
    inner: Arc<dyn ObjectStore>,
    watch: Arc<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    ranged_reads: AtomicUsize,
    /// The number of requests that are refused, as while keys are changed.
    denials: AtomicUsize,
    /// Whether answers are lost. The requests are done, except deletions.
    is_cut_off: AtomicBool,
    /// Runs before the next list.
    before_list: Hook,
}

#[derive(Default)]
struct Hook(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("watched")
    }
}

fn lost() -> Error {
    Error::Generic { store: "watched", source: "the answer was lost".into() }
}

impl Watched {
    fn admit(&self, path: &Path) -> Result<()> {
        let denied =
            self.watch.denials.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let refusal = || Error::PermissionDenied { path: path.to_string(), source: "403 Forbidden".into() };
        denied.map_or(Ok(()), |_| Err(refusal()))
    }
}

#[async_trait::async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.admit(path)?;
        let put = self.inner.put_opts(path, payload, options).await;
        if self.watch.is_cut_off.load(Ordering::SeqCst) { Err(lost()) } else { put }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.admit(path)?;
        self.watch.ranged_reads.fetch_add(usize::from(options.range.is_some()), Ordering::SeqCst);
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if self.watch.is_cut_off.load(Ordering::SeqCst) {
            return paths.map(|_| Err(lost())).boxed();
        }
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let act = self.watch.before_list.0.lock().take();
        // On a thread of its own: this is one of a runtime.
        if let Some(act) = act {
            thread::spawn(act).join().unwrap();
        }
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

const fn key(running: &JobRecord) -> SegmentKey {
    SegmentKey { job: running.id, attempt: running.attempt, number: 0 }
}

/// Appends numbers, ten to a block, and closes the segment. Returns the result; the job still runs.
fn append(store: &PostgresStore, running: &JobRecord, rows: u64) -> Result<JobResult, StoreError> {
    let mut writer = store.segment(key(running))?;
    let mut block = BlockBuilder::new(key(running));
    for row in 0..rows {
        block.push(&row).unwrap();
        if block.rows() == 10 || row + 1 == rows {
            writer.append(block.seal())?;
        }
    }
    let list = RowList::new("vertices", vec![writer.finish()?]);
    Ok(JobResult { list: Some(list), ..JobResult::default() })
}

/// Runs the `n`-th job to its end, with numbers as rows.
fn succeeded(store: &PostgresStore, n: u64, rows: u64) -> JobRecord {
    let running = start(store, n);
    let result = append(store, &running, rows).unwrap();
    let done = running.apply(Event::Succeed(result.size()), Timestamp::from_micros(6)).unwrap();
    store.complete(&[(&done, &result)], Durability::Buffered).unwrap();
    done
}

fn read(store: &PostgresStore, job: &JobRecord, rows: Range<u64>) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    store.read(key(job), rows, &mut |run| {
        found.extend(run.unpack()?.iter().map(|row| serde_json::from_slice::<u64>(row).unwrap()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// The job waits for its next attempt.
fn requeue(store: &PostgresStore, running: &JobRecord) -> JobRecord {
    let failure = Failure::new(FailureKind::Interrupted, "gone");
    let waiting = running.apply(Event::Requeue(failure, None), Timestamp::from_micros(7)).unwrap();
    store.replace(&waiting, Durability::Buffered).unwrap();
    waiting
}

fn ten_rows_a_block(segment: &mut dyn SegmentWriter, block: &mut BlockBuilder, rows: Range<u64>) {
    for row in rows {
        block.push(&row).unwrap();
        if row % 10 == 9 {
            segment.append(block.seal()).unwrap();
        }
    }
}

/// A job of the same id may come back by a copy. Its new objects were taken for those of the removed one.
#[test]
fn a_job_that_comes_back_while_its_objects_are_deleted_keeps_its_new_ones() {
    let Some(place) = Place::directory() else { return };
    let store = place.store();
    let removed = succeeded(&store, 1, 200);
    let old = place.objects();
    let other = place.plain();
    let (place, writer) = (Arc::new(place), Arc::new(Mutex::new(None)));
    let comes_back = {
        let (other, place, old, writer) = (other.clone(), Arc::clone(&place), old.clone(), Arc::clone(&writer));
        move || {
            let running = start(&other, 1);
            let (mut segment, mut block) =
                (other.segment(key(&running)).unwrap(), BlockBuilder::new(key(&running)));
            ten_rows_a_block(&mut *segment, &mut block, 1_000..1_030);
            // Put, without a row in the database yet.
            while place.objects().iter().all(|name| old.contains(name)) {
                thread::yield_now();
            }
            assert_eq!(segment.visible_rows(), 0);
            *writer.lock() = Some((running, segment, block));
        }
    };
    *place.objects.before_list.0.lock() = Some(Box::new(comes_back));
    assert!(store.remove(removed.id).unwrap());
    while writer.lock().is_none() {
        thread::yield_now();
    }
    // Waits for the one that is under way.
    store.collect_objects().unwrap();
    let (running, mut segment, mut block) = writer.lock().take().unwrap();
    ten_rows_a_block(&mut *segment, &mut block, 1_030..1_200);
    let list = RowList::new("vertices", vec![segment.finish().unwrap()]);
    let result = JobResult { list: Some(list), ..JobResult::default() };
    let done = running.apply(Event::Succeed(result.size()), Timestamp::from_micros(6)).unwrap();
    other.complete(&[(&done, &result)], Durability::Buffered).unwrap();
    store.collect_objects().unwrap();
    assert_eq!(read(&other, &done, 0..200).unwrap(), (1_000..1_200).collect::<Vec<_>>());
    assert!(place.objects().iter().all(|name| !old.contains(name)), "the old ones are gone");
}

mod laws {
    use super::*;

    pub(super) fn a_page_is_a_ranged_read_for_each_object_it_lies_in(place: &Place) {
        let store = place.store_with(|limits| (limits.object_bytes, limits.cache_bytes) = (8 << 10, 0));
        let job = succeeded(&store, 1, 10_000);
        let objects = place.objects().len() as u64;
        assert!(objects > 10, "{objects}");
        // A page of half an object lies in one or two objects.
        let page = 10_000 / objects / 2;
        for start in (0..10_000 - page).step_by(97) {
            place.objects.ranged_reads.store(0, Ordering::SeqCst);
            assert_eq!(
                read(&store, &job, start..start + page).unwrap(),
                (start..start + page).collect::<Vec<_>>()
            );
            let reads = place.objects.ranged_reads.load(Ordering::SeqCst);
            assert!((1..=2).contains(&reads), "rows {start}..{}: {reads} reads", start + page);
        }
    }

    /// A streamed page is read block by block, and each call has the rest of the page as its range. It must not
    /// fetch all of that rest.
    pub(super) fn a_page_that_is_read_block_by_block_is_fetched_once(place: &Place) {
        let store = place.store_with(|limits| limits.object_bytes = 8 << 10);
        let job = succeeded(&store, 1, 10_000);
        let mut next = 5_000;
        while next < 5_300 {
            store
                .read(key(&job), next..5_300, &mut |run| {
                    next += run.len() as u64;
                    Ok(ControlFlow::Break(()))
                })
                .unwrap();
        }
        assert!(place.objects.ranged_reads.load(Ordering::SeqCst) <= 2);
    }

    pub(super) fn small_segments_stay_in_the_database_and_large_ones_leave_it(place: &Place) {
        let store = place.store();
        let small = succeeded(&store, 1, 3);
        assert_eq!(place.objects(), []);
        let large = succeeded(&store, 2, 1_000);
        assert!(place.objects().len() > 10);
        assert_eq!(place.schema.sql("SELECT count(DISTINCT job) FROM blocks").trim(), "1");
        assert_eq!(read(&store, &small, 0..3).unwrap(), [0, 1, 2]);
        assert_eq!(read(&store, &large, 998..1_000).unwrap(), [998, 999]);
        assert!(store.size_on_disk().unwrap() > Some(1_000));
    }

    pub(super) fn objects_of_a_removed_job_are_deleted_and_no_others(place: &Place) {
        let store = place.plain();
        let [gone, kept] = [1, 2].map(|n| succeeded(&store, n, 500));
        store.collect_objects().unwrap();
        let before = place.objects().len();
        assert!(store.remove(gone.id).unwrap());
        store.collect_objects().unwrap();
        assert!((1..before).contains(&place.objects().len()));
        assert_eq!(read(&store, &kept, 0..500).unwrap().len(), 500);
        assert_eq!(read(&store, &gone, 0..500).unwrap_err().kind, ErrorKind::NotFound);
        assert!(store.remove(kept.id).unwrap());
        store.collect_objects().unwrap();
        assert_eq!(place.objects(), []);
        assert_eq!(place.schema.sql("SELECT count(*) FROM uploads").trim(), "0");
        // In a file system, the directories of the attempt are gone too.
        #[cfg_attr(not(feature = "s3"), expect(irrefutable_let_patterns, reason = "there is S3 as well"))]
        if let Server::Directory(directory) = &place.server {
            assert_eq!(fs::read_dir(directory.path().join("objects")).unwrap().count(), 0);
        }
    }

    /// The writer dies after its object was put and before the row is written.
    pub(super) fn an_object_without_its_row_is_no_rows_and_is_collected(place: &Place) {
        let store = place.store();
        let running = start(&store, 1);
        place.objects.is_cut_off.store(true, Ordering::SeqCst);
        let error = append(&store, &running, 1_000).unwrap_err();
        assert!(error.kind.is_retryable(), "{error}");
        drop(store);
        place.objects.is_cut_off.store(false, Ordering::SeqCst);
        assert_ne!(place.objects(), []);

        let store = place.store();
        assert_eq!(read(&store, &running, 0..1).unwrap_err().kind, ErrorKind::Corrupt);
        // While the attempt runs, the row of the object may still be written.
        store.collect_objects().unwrap();
        assert_ne!(place.objects(), []);
        requeue(&store, &running);
        store.collect_objects().unwrap();
        assert_eq!(place.objects(), []);
        assert_eq!(place.schema.sql("SELECT count(*) FROM uploads").trim(), "0");
    }

    pub(super) fn what_a_dead_process_left_is_collected_by_the_next_that_opens(place: &Place) {
        let store = place.store();
        let running = start(&store, 1);
        place.objects.is_cut_off.store(true, Ordering::SeqCst);
        append(&store, &running, 1_000).unwrap_err();
        requeue(&store, &running);
        drop(store);
        place.objects.is_cut_off.store(false, Ordering::SeqCst);
        let _store = place.store();
        while !place.objects().is_empty() {
            thread::yield_now();
        }
    }

    pub(super) fn a_writer_whose_attempt_is_over_leaves_nothing(place: &Place) {
        let store = place.store();
        let running = start(&store, 1);
        let mut writer = store.segment(key(&running)).unwrap();
        let mut block = BlockBuilder::new(key(&running));
        for row in 0..100 {
            block.push(&row).unwrap();
            writer.append(block.seal()).unwrap();
        }
        requeue(&store, &running);
        store.collect_objects().unwrap();
        block.push(&100).unwrap();
        assert_eq!(writer.append(block.seal()).unwrap_err().kind, ErrorKind::Fenced);
        drop(writer);
        // A discard also removes rows in objects.
        store.discard(running.id, running.attempt).unwrap();
        store.collect_objects().unwrap();
        while !place.objects().is_empty() {
            thread::yield_now();
        }
    }

    pub(super) fn a_damaged_object_is_an_error_that_says_what_and_where(place: &Place) {
        let store = place.plain();
        let job = succeeded(&store, 1, 500);
        let objects = place.objects();
        let mut bytes = place.get(&objects[0]);
        bytes[2] ^= 1;
        place.put(&objects[0], bytes);
        place.put(&objects[1], Vec::new());
        place.delete(&objects[2]);
        // The first three objects have 40 rows each or so, and the rest is whole.
        for (row, what) in [(0, "checksum"), (45, "as long as"), (85, "is missing")] {
            let error = read(&store, &job, row..row + 1).unwrap_err();
            assert_eq!((error.kind, error.job), (ErrorKind::Corrupt, Some(job.id)), "{error}");
            assert!(error.to_string().contains(what), "row {row}: {error}");
        }
        assert_eq!(read(&store, &job, 400..500).unwrap().len(), 100);
        let mut found = Vec::new();
        verify(&store, &mut |finding| found.push(finding.to_string())).unwrap();
        assert!(
            !found.is_empty() && found.iter().all(|finding| finding.contains(&job.id.to_string())),
            "{found:?}"
        );
    }

    /// A second of 403 while keys are changed must not fail the jobs that write then.
    pub(super) fn keys_that_are_refused_for_a_moment_fail_nothing(place: &Place) {
        let store = place.store_with(|limits| limits.cache_bytes = 0);
        place.objects.denials.store(2, Ordering::SeqCst);
        let job = succeeded(&store, 1, 500);
        assert_eq!(place.objects.denials.load(Ordering::SeqCst), 0);
        place.objects.denials.store(2, Ordering::SeqCst);
        assert_eq!(read(&store, &job, 0..500).unwrap().len(), 500);
        assert_eq!(place.objects.denials.load(Ordering::SeqCst), 0);
    }

    pub(super) fn a_store_without_the_object_store_says_that_it_needs_it(place: &Place) {
        let job = succeeded(&place.plain(), 1, 500);
        let mut options = place.schema.options.clone();
        options.objects = None;
        let store = PostgresStore::open(place.schema.server.url(), options).unwrap();
        let error = read(&store, &job, 0..1).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.to_string().contains("`objects`"), "{error}");
        // Other stores delete the objects of jobs that it removes.
        assert!(store.remove(job.id).unwrap());
        assert!(place.plain().collect_objects().is_ok());
        while !place.objects().is_empty() {
            thread::yield_now();
        }
    }
}

/// The answer of opening the store with objects at this URL.
fn refused(schema: &Schema, url: &str, settings: &[(&str, &str)]) -> StoreError {
    let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let objects = low(url).settings(settings);
    let options = schema.options.clone().objects(objects);
    let said = format!("{options:?}");
    let error = PostgresStore::open(schema.server.url(), options).unwrap_err();
    assert!(!format!("{said} {error} {error:?}").contains("sesame"), "{said} {error}");
    error
}

#[test]
fn a_place_that_cannot_be_used_is_refused_in_a_sentence_without_secrets() {
    let Some(schema) = Schema::new() else { return };
    for (url, what) in [
        ("nonsense", "URL of the objects"),
        ("file:///proc/objects", "/proc/objects"),
        ("file://elsewhere/objects", "names no directory"),
        ("s4://u:sesame@bucket", "s4://bucket"),
    ] {
        let error = refused(&schema, url, &[("AWS_SECRET_ACCESS_KEY", "sesame")]);
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_build_without_s3_says_so() {
    let Some(schema) = Schema::new() else { return };
    let error = refused(&schema, "s3://bucket/prefix", &[]);
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("feature `s3`"), "{error}");
}

/// A store that did not check the bucket would notice each of these mistakes only at the first large result.
#[cfg(feature = "s3")]
#[test]
fn a_bucket_that_cannot_be_used_is_refused_when_the_store_opens() {
    let (Some(schema), Some(server)) = (Schema::new(), S3::open().unwrap()) else { return };
    let settings = server.settings();
    let right: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let with = |name, value| [right.as_slice(), &[(name, value)]].concat();
    for (url, settings, kind, what) in [
        ("s3://no-such-bucket/prefix", right.clone(), ErrorKind::Invalid, "does not exist"),
        ("s3://tests/prefix", with("AWS_SECRET_ACCESS_KEY", "sesame"), ErrorKind::Invalid, "object store says"),
        ("s3://tests/prefix", with("AWS_ALLOW_HTPP", "true"), ErrorKind::Invalid, "no setting AWS_ALLOW_HTPP"),
        ("s3://tests/prefix", with("AWS_ALLOW_HTTP", "false"), ErrorKind::Unavailable, "object store says"),
        ("s3://tests/prefix", with("AWS_ENDPOINT", "http://127.0.0.1:1"), ErrorKind::Unavailable, "127.0.0.1"),
    ] {
        let error = refused(&schema, url, &settings);
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}
