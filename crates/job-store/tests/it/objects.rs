//! What only a store with an object store beside it can get wrong.

use std::{
    fmt, fs,
    ops::{ControlFlow, Range},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use futures_util::{StreamExt, stream::BoxStream};
use job_core::{Event, Failure, FailureKind, JobRecord, JobResult, RowList, Timestamp};
use job_store::{
    BlockBuilder, Durability, ErrorKind, JobStore, ObjectOptions, PostgresOptions, PostgresStore, ResultStore,
    SegmentKey, SharedStore, Store, StoreError,
    conformance::{Fixture, SharedFixture},
    object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
    },
    verify,
};

use crate::postgres::{Schema, start};

/// Limits so low that nearly every segment becomes objects.
fn low() -> ObjectOptions {
    ObjectOptions { small_segment: 100, object_bytes: 300, ..ObjectOptions::at("") }
}

/// A schema, and a directory for its objects.
pub struct Place {
    schema: Schema,
    directory: tempfile::TempDir,
}

impl Place {
    /// `None` where there is no PostgreSQL.
    pub fn new() -> Option<Self> {
        let mut schema = Schema::new()?;
        let directory = tempfile::tempdir().unwrap();
        let url = format!("file://{}/objects", directory.path().display());
        schema.options.objects = Some(ObjectOptions { url, ..low() });
        Some(Self { schema, directory })
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut left = vec![self.directory.path().join("objects")];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { left.push(path) } else { found.push(path) }
            }
        }
        found
    }
}

impl Fixture for Place {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.schema.store())
    }
}

impl SharedFixture for Place {
    fn open(&self) -> Arc<dyn SharedStore> {
        Arc::new(self.schema.store())
    }
}

/// A schema, and objects in memory that are watched.
struct Watch {
    schema: Schema,
    objects: Arc<Watched>,
}

impl Watch {
    fn new(options: ObjectOptions) -> Option<Self> {
        let mut schema = Schema::new()?;
        schema.options.objects = Some(options);
        Some(Self { schema, objects: Arc::default() })
    }

    fn store(&self) -> PostgresStore {
        let objects: Arc<dyn ObjectStore> = Arc::<Watched>::clone(&self.objects);
        PostgresStore::open_with_objects(self.schema.server.url(), self.schema.options.clone(), objects).unwrap()
    }

    fn objects(&self) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.objects.inner.list(None).count())
    }
}

#[derive(Debug, Default)]
struct Watched {
    inner: InMemory,
    ranged_reads: AtomicUsize,
    /// Answers are lost: what was asked for is done, or never was if it was a deletion.
    is_cut_off: AtomicBool,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("watched")
    }
}

fn lost() -> Error {
    Error::Generic { store: "watched", source: "the answer was lost".into() }
}

#[async_trait::async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.inner.put_opts(path, payload, options).await;
        if self.is_cut_off.load(Ordering::SeqCst) { Err(lost()) } else { put }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.ranged_reads.fetch_add(usize::from(options.range.is_some()), Ordering::SeqCst);
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if self.is_cut_off.load(Ordering::SeqCst) {
            return paths.map(|_| Err(lost())).boxed();
        }
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
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

/// Appends numbers, ten to a block, and does not finish unless told to.
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
    store.complete(&done, &result, Durability::Buffered).unwrap();
    done
}

fn read(store: &PostgresStore, job: &JobRecord, rows: Range<u64>) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    store.read(key(job), rows, &mut |run| {
        found.extend(run.iter().map(|row| serde_json::from_slice::<u64>(row).unwrap()));
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

#[test]
fn a_page_is_a_ranged_read_for_each_object_it_lies_in() {
    let objects = ObjectOptions { object_bytes: 8 << 10, cache_bytes: 0, ..low() };
    let Some(watch) = Watch::new(objects) else { return };
    let store = watch.store();
    let job = succeeded(&store, 1, 10_000);
    let objects = watch.objects() as u64;
    assert!(objects > 10, "{objects}");
    // About half of an object: in one or two.
    let page = 10_000 / objects / 2;
    for start in (0..10_000 - page).step_by(97) {
        watch.objects.ranged_reads.store(0, Ordering::SeqCst);
        assert_eq!(read(&store, &job, start..start + page).unwrap(), (start..start + page).collect::<Vec<_>>());
        let reads = watch.objects.ranged_reads.load(Ordering::SeqCst);
        assert!((1..=2).contains(&reads), "rows {start}..{}: {reads} reads", start + page);
    }
}

/// A page that is streamed is read a block at a time, each with a call that has the rest of the page as its range. Each
/// of them once fetched all of that rest.
#[test]
fn a_page_that_is_read_block_by_block_is_fetched_once() {
    let Some(watch) = Watch::new(ObjectOptions { object_bytes: 8 << 10, ..low() }) else { return };
    let store = watch.store();
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
    assert!(watch.objects.ranged_reads.load(Ordering::SeqCst) <= 2);
}

#[test]
fn small_segments_stay_in_the_database_and_large_ones_leave_it() {
    let Some(watch) = Watch::new(low()) else { return };
    let store = watch.store();
    let small = succeeded(&store, 1, 3);
    assert_eq!(watch.objects(), 0);
    let large = succeeded(&store, 2, 1_000);
    assert!(watch.objects() > 10);
    assert_eq!(watch.schema.sql("SELECT count(DISTINCT job) FROM blocks").trim(), "1");
    assert_eq!(read(&store, &small, 0..3).unwrap(), [0, 1, 2]);
    assert_eq!(read(&store, &large, 998..1_000).unwrap(), [998, 999]);
    assert!(store.size_on_disk().unwrap() > Some(1_000));
}

#[test]
fn objects_of_a_removed_job_are_deleted_and_no_others() {
    let Some(place) = Place::new() else { return };
    let store = place.schema.store();
    let [gone, kept] = [1, 2].map(|n| succeeded(&store, n, 500));
    store.collect_objects().unwrap();
    let before = place.files().len();
    assert!(store.remove(gone.id).unwrap());
    store.collect_objects().unwrap();
    assert!((1..before).contains(&place.files().len()));
    assert_eq!(read(&store, &kept, 0..500).unwrap().len(), 500);
    assert_eq!(read(&store, &gone, 0..500).unwrap_err().kind, ErrorKind::NotFound);
    assert!(store.remove(kept.id).unwrap());
    store.collect_objects().unwrap();
    // Neither files nor directories.
    assert_eq!(fs::read_dir(place.directory.path().join("objects")).unwrap().count(), 0);
    assert_eq!(place.schema.sql("SELECT count(*) FROM uploads").trim(), "0");
}

/// The writer dies when its object is there and the row that names it is not.
#[test]
fn an_object_without_its_row_is_no_rows_and_is_collected() {
    let Some(watch) = Watch::new(low()) else { return };
    let store = watch.store();
    let running = start(&store, 1);
    watch.objects.is_cut_off.store(true, Ordering::SeqCst);
    let error = append(&store, &running, 1_000).unwrap_err();
    assert!(error.kind.is_retryable(), "{error}");
    drop(store);
    watch.objects.is_cut_off.store(false, Ordering::SeqCst);
    assert!(watch.objects() > 0);

    let store = watch.store();
    assert_eq!(read(&store, &running, 0..1).unwrap_err().kind, ErrorKind::Corrupt);
    // As long as the attempt runs they may still become part of it.
    store.collect_objects().unwrap();
    assert!(watch.objects() > 0);
    requeue(&store, &running);
    store.collect_objects().unwrap();
    assert_eq!(watch.objects(), 0);
    assert_eq!(watch.schema.sql("SELECT count(*) FROM uploads").trim(), "0");
}

#[test]
fn what_a_dead_process_left_is_collected_by_the_next_that_opens() {
    let Some(watch) = Watch::new(low()) else { return };
    let store = watch.store();
    let running = start(&store, 1);
    watch.objects.is_cut_off.store(true, Ordering::SeqCst);
    append(&store, &running, 1_000).unwrap_err();
    requeue(&store, &running);
    drop(store);
    watch.objects.is_cut_off.store(false, Ordering::SeqCst);
    let _store = watch.store();
    while watch.objects() > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_writer_whose_attempt_is_over_leaves_nothing() {
    let Some(watch) = Watch::new(low()) else { return };
    let store = watch.store();
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
    // Rows that count go with the attempt's others.
    store.discard(running.id, running.attempt).unwrap();
    store.collect_objects().unwrap();
    while watch.objects() > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_damaged_object_is_an_error_that_says_what_and_where() {
    let Some(place) = Place::new() else { return };
    let store = place.schema.store();
    let job = succeeded(&store, 1, 500);
    let mut files = place.files();
    files.sort();
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[2] ^= 1;
    fs::write(&files[0], bytes).unwrap();
    fs::write(&files[1], b"").unwrap();
    fs::remove_file(&files[2]).unwrap();
    // The first three objects have 40 rows each or so, and the rest is whole.
    for (row, what) in [(0, "checksum"), (45, "as long as"), (85, "is missing")] {
        let error = read(&store, &job, row..row + 1).unwrap_err();
        assert_eq!((error.kind, error.job), (ErrorKind::Corrupt, Some(job.id)), "{error}");
        assert!(error.to_string().contains(what), "row {row}: {error}");
    }
    assert_eq!(read(&store, &job, 400..500).unwrap().len(), 100);
    let mut found = Vec::new();
    verify(&store, &mut |finding| found.push(finding.to_string())).unwrap();
    assert!(!found.is_empty() && found.iter().all(|finding| finding.contains(&job.id.to_string())), "{found:?}");
}

#[test]
fn a_store_without_the_object_store_says_that_it_needs_it() {
    let Some(place) = Place::new() else { return };
    let job = succeeded(&place.schema.store(), 1, 500);
    let options = PostgresOptions { objects: None, ..place.schema.options.clone() };
    let store = PostgresStore::open(place.schema.server.url(), options).unwrap();
    let error = read(&store, &job, 0..1).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("`objects`"), "{error}");
    // What it removes others delete.
    assert!(store.remove(job.id).unwrap());
    assert!(place.schema.store().collect_objects().is_ok());
    while !place.files().is_empty() {
        thread::yield_now();
    }
}

#[test]
fn a_place_that_cannot_be_used_is_refused_in_a_sentence_without_secrets() {
    let Some(place) = Place::new() else { return };
    for url in ["nonsense", "file:///proc/objects", "s4://bucket"] {
        let settings = vec![("AWS_SECRET_ACCESS_KEY".to_owned(), "sesame".to_owned())];
        let objects = ObjectOptions { url: url.to_owned(), settings, ..low() };
        let options = PostgresOptions { objects: Some(objects), ..place.schema.options.clone() };
        let said = format!("{options:?}");
        let error = PostgresStore::open(place.schema.server.url(), options).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
        assert!(!format!("{said} {error}").contains("sesame"));
    }
}
