//! Faults around a store. Each is a clear error, and no acknowledged job is lost.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use job_runner::{
    Durability, Engine, EngineError, Event, FailureKind, JobContext, JobId, JobReader, JobRecord, JobSpec,
    JobState, Outcome, PageRequest, Segment, Timestamp,
    store::{
        BlockBuilder, ErrorKind, Fault, FaultStore, MemoryStore, RocksOptions, RocksStore, SegmentKey, Store,
    },
};
use job_store::RedbStore;
use job_tests::{
    child::{self, Child},
    crowd::Crowd,
    fork::{self, Said},
    script, trace,
};

use crate::support::body;

fn open(path: &Path) -> Result<Arc<dyn Store>, job_runner::StoreError> {
    Ok(Arc::new(RocksStore::open(path, RocksOptions::default())?))
}

/// A job's parameter is the number of its rows, each of about a kilobyte.
fn engine(store: Arc<dyn Store>) -> Result<Engine, EngineError> {
    Engine::builder(store)
        .manual()
        .vertex_filter(|ctx: &mut JobContext| {
            let count: u64 = ctx.spec().parameters().read()?;
            let mut rows = ctx.rows("vertices")?;
            // The rows compress too little to fit on the disk.
            (0..count).try_for_each(|n| rows.push(&noise(n)))
        })
        .open()
}

fn noise(n: u64) -> String {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::new();
    for _ in 0..60 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let _ = write!(text, "{state:016x}");
    }
    text
}

fn job(rows: u64) -> JobSpec {
    JobSpec::vertex_filter().with_graph("g").with_parameters(&rows).unwrap()
}

fn rows_of(store: &Arc<dyn Store>, id: JobId) -> Vec<String> {
    let page = JobReader::new(Arc::clone(store)).page(id, PageRequest::default()).unwrap();
    script::rows(&page).unwrap().iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

/// A small mounted file system, unmounted on drop; `None` where mounting is not allowed.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(options: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = run("mount", &["-t", "tmpfs", "-o", options, "tmpfs", directory.path().to_str().unwrap()]);
        if mounted.is_none_or(|output| !output.status.success()) {
            test_servers::skip("a file system of its own can only be mounted by root");
            return None;
        }
        Some(Self(directory))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let output = run("mount", &["-o", &options, self.0.path().to_str().unwrap()]).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["-l", self.0.path().to_str().unwrap_or_default()]);
    }
}

fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    Command::new(program).args(arguments).output().ok()
}

#[test]
fn a_full_disk_is_said_and_loses_nothing_that_was_acknowledged() {
    let Some(disk) = Mounted::new("size=24m") else { return };
    let (first, full);
    {
        let store = open(disk.0.path()).unwrap();
        let engine = engine(Arc::clone(&store)).unwrap();
        first = engine.submit(job(3_000)).unwrap().id();
        assert!(engine.driver().run_one().is_some());
        // 60 MB of rows for 24 MB of disk.
        let job = engine.submit(job(60_000)).unwrap();
        full = job.id();
        assert!(engine.driver().run_one().is_some());
        let record = job.record();
        // The job waits for another attempt, or the engine says that it cannot store anything.
        match engine.health() {
            Ok(()) => {
                let failure = record.failure.unwrap();
                assert_eq!(failure.kind, FailureKind::Store);
                assert!(failure.message.contains("free some disk space"), "{failure}");
            }
            Err(EngineError::Unhealthy(error)) => assert_eq!(error.kind, ErrorKind::Full, "{error}"),
            Err(other) => panic!("{other}"),
        }
        // Earlier jobs can still be read.
        assert_eq!(rows_of(&store, first).len(), 3_000);
    }
    // Space is freed, and the next process goes on.
    disk.remount("size=200m");
    let store = open(disk.0.path()).unwrap();
    assert_eq!(rows_of(&store, first), (0..3_000).map(noise).collect::<Vec<_>>());
    let engine = engine(Arc::clone(&store)).unwrap();
    let record = engine.job(full).unwrap().unwrap().record();
    assert_eq!(record.state, JobState::Waiting, "{record:?}");
    // The pause of the job may not be over. Then no job is ready, which is right too.
    engine.driver().run_until_idle();
    for record in engine.reader().list(PageRequest::default()).unwrap() {
        if record.state == JobState::Complete(Outcome::Succeeded) && record.id == full {
            assert_eq!(rows_of(&store, full).len(), 60_000);
        }
    }
}

/// A running job of a store, with a first row in it.
fn running(store: &dyn Store, n: u64) -> SegmentKey {
    let now = Timestamp::from_micros(n * 1_000);
    let waiting =
        JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("g"), now);
    store.insert(std::slice::from_ref(&waiting), Durability::Synced).unwrap();
    store.replace(&waiting.apply(Event::Start, now).unwrap(), Durability::Synced).unwrap();
    SegmentKey { job: waiting.id, attempt: 1, number: 0 }
}

/// Writes a segment of this number of rows of a kilobyte.
fn segment(store: &dyn Store, key: SegmentKey, rows: u64) -> Result<Segment, job_runner::StoreError> {
    let mut writer = store.segment(key)?;
    let mut block = BlockBuilder::new(key);
    for n in 0..rows {
        block.push(&noise(n)).unwrap();
        if block.bytes() >= 64 << 10 {
            writer.append(block.seal())?;
        }
    }
    if block.rows() > 0 {
        writer.append(block.seal())?;
    }
    writer.finish()
}

fn rows_in(store: &dyn Store, key: SegmentKey, rows: u64) -> Result<Vec<String>, job_runner::StoreError> {
    let mut found = Vec::new();
    store.read(key, 0..rows, &mut |run| {
        found.extend(run.unpack()?.iter().map(|row| serde_json::from_slice::<String>(row).unwrap()));
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// redb takes no call after one that found the disk full, until the database is opened again.
#[test]
fn after_a_full_disk_the_same_process_goes_on_when_there_is_room() {
    type Open = fn(&Path) -> Arc<dyn Store>;
    let rocks: Open = |path| open(&path.join("store")).unwrap();
    let redb: Open = |path| Arc::new(RedbStore::open(path.join("jobs.redb")).unwrap());
    for open in [rocks, redb] {
        let Some(disk) = Mounted::new("size=24m") else { return };
        let store = open(disk.0.path());
        let first = running(&*store, 1);
        segment(&*store, first, 3_000).unwrap();
        // 60 MB of rows for 24 MB of disk.
        let second = running(&*store, 2);
        let full = segment(&*store, second, 60_000).unwrap_err();
        assert_eq!(full.kind, ErrorKind::Full, "{full}");
        for _ in 0..3 {
            // There is no room yet. The call may succeed, or fail with the same class of error.
            if let Err(still) = segment(&*store, SegmentKey { number: 1, ..second }, 60_000) {
                assert!(still.kind.is_retryable(), "{still}");
            }
        }
        disk.remount("size=200m");
        let until = Instant::now() + Duration::from_mins(1);
        while let Err(error) = store
            .discard(second.job, 1)
            .and_then(|()| segment(&*store, SegmentKey { number: 2, ..second }, 10_000))
        {
            assert!(error.kind.is_retryable() && Instant::now() < until, "{error}");
            thread::yield_now();
        }
        for (key, rows) in [(first, 3_000), (SegmentKey { number: 2, ..second }, 10_000)] {
            assert_eq!(rows_in(&*store, key, rows).unwrap(), (0..rows).map(noise).collect::<Vec<_>>());
        }
        drop(store);
        let store = open(disk.0.path());
        assert_eq!(rows_in(&*store, first, 3_000).unwrap().len(), 3_000);
    }
}

/// On file systems without hard links, large results must not fail, nor the opening of a store with a torn log.
#[test]
fn a_file_system_without_hard_links_takes_large_results_and_opens_torn_logs() {
    if !trace::is_possible() {
        return;
    }
    for refusal in ["EPERM", "ENOSYS", "EOPNOTSUPP"] {
        let directory = tempfile::tempdir().unwrap();
        let left = tempfile::tempdir().unwrap();
        {
            let store = open(directory.path()).unwrap();
            running(&*store, 1);
            running(&*store, 2);
            for entry in fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
                if entry.path().is_file() && entry.file_name() != "LOCK" {
                    fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
                }
            }
        }
        let logs = fs::read_dir(left.path()).unwrap().map(|entry| entry.unwrap().path());
        let log = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().unwrap();
        let size = fs::metadata(&log).unwrap().len();
        let cut = fs::OpenOptions::new().write(true).open(&log).unwrap();
        cut.set_len(size - 40).unwrap();
        cut.set_len(size).unwrap();
        let torn = fs::read(&log).unwrap();

        let task = serde_json::to_string(&Crowd { store: left.path().to_owned(), results: 3 }).unwrap();
        let refuse = format!("inject=link,linkat:error={refusal}");
        let strace = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=link,linkat", "-e", &refuse];
        let arguments = [&strace[..], &[env!("CARGO_BIN_EXE_torture"), "crowd", &task]].concat();
        let output = run("strace", &arguments).unwrap();
        assert!(output.status.success(), "{refusal}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(fs::read(left.path().join("job_engine.torn").join(log.file_name().unwrap())).unwrap(), torn);
        let store = open(left.path()).unwrap();
        let succeeded =
            store.list(None, 0, 10).unwrap().into_iter().filter(|record| record.spec.graph() == "movies");
        for record in succeeded.clone() {
            assert_eq!(rows_of(&store, record.id).len(), 100);
        }
        assert_eq!(succeeded.count(), 3);
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_an_error_that_says_so() {
    let Some(disk) = Mounted::new("size=64m") else { return };
    let done = {
        let engine = engine(open(disk.0.path()).unwrap()).unwrap();
        let done = engine.submit(job(10)).unwrap();
        assert!(engine.driver().run_one().is_some());
        done.id()
    };
    disk.remount("ro");
    let error = open(disk.0.path()).unwrap_err();
    assert!(error.to_string().contains("could not open the store"), "{error}");
    disk.remount("rw");
    let store = open(disk.0.path()).unwrap();
    assert_eq!(rows_of(&store, done).len(), 10);
}

fn a_child(store: &Path, jobs: u32) -> String {
    let child = Child { store: store.to_owned(), seed: 1, jobs, death: None, synced: false };
    serde_json::to_string(&child).unwrap()
}

#[test]
fn a_second_process_is_told_that_the_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let output = run(env!("CARGO_BIN_EXE_torture"), &["child", &a_child(directory.path(), 1)]).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("close the other one"), "{said}");
    assert!(output.stdout.is_empty(), "it took jobs all the same");
    drop(store);
    let output = run(env!("CARGO_BIN_EXE_torture"), &["child", &a_child(directory.path(), 1)]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// RocksDB's own lock ends when its process closes any descriptor of the locked file, as a backup does. A second
/// process could then open the store for writing.
#[test]
fn a_second_process_is_refused_also_after_a_backup_has_read_every_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::read(path).unwrap();
        }
    }
    let output = run(env!("CARGO_BIN_EXE_torture"), &["child", &a_child(directory.path(), 1)]).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "it took jobs all the same");
    assert!(said.contains("close the other one"), "{said}");
    assert!(said.contains(&format!("process {}", std::process::id())), "it does not say which: {said}");
    drop(store);
}

/// A process that has forked with open stores. It is ended in any case.
struct Forked {
    parent: std::process::Child,
    lines: mpsc::Receiver<String>,
    child: Option<u32>,
}

impl Forked {
    fn start(task: &fork::Forking, library: &Path) -> Self {
        let mut parent = Command::new(env!("CARGO_BIN_EXE_torture"))
            .args(["fork", &serde_json::to_string(task).unwrap()])
            .env("LD_PRELOAD", library)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(parent.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { parent, lines, child: None }
    }

    /// The lines up to the end of one of the processes.
    fn listen(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_mins(1)).expect("neither process hangs");
            match serde_json::from_str(&line).unwrap() {
                Said::Done => return said,
                Said::Forked(process) => self.child = Some(process),
                other => said.push(other),
            }
        }
    }

    fn kill_child(&mut self) {
        if let Some(child) = self.child.take() {
            run("kill", &["-9", &child.to_string()]).unwrap();
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        self.kill_child();
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

/// A forked process must not submit a job. After a kill of its parent, 40 acknowledged jobs were then lost.
#[test]
fn a_forked_process_changes_nothing_says_so_and_keeps_the_store_locked_while_it_lives() {
    let directory = tempfile::tempdir().unwrap();
    let Some(library) = fork::library(directory.path()) else { return };
    let [store, side, file] = ["store", "side", "file"].map(|name| directory.path().join(name));
    let task = fork::Forking { store: store.clone(), side: side.clone(), file: file.clone(), jobs: 40 };
    let mut forked = Forked::start(&task, &library);
    let mut said = forked.listen();
    let child = forked.child.unwrap();
    let Said::Acknowledged(_) = said.remove(0) else { panic!("{said:?}") };
    assert!(matches!(&said[0], Said::Unhealthy(why) if why.contains("forked")), "{said:?}");
    let refused = said[1..].iter().filter(|said| matches!(said, Said::Refused(why) if why.contains("forked")));
    assert_eq!((said.len(), refused.count()), (5, 4), "{said:?}");

    forked.parent.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    let acknowledged: Vec<JobId> = forked
        .listen()
        .into_iter()
        .map(|said| if let Said::Acknowledged(id) = said { id } else { panic!("{said:?}") })
        .collect();
    assert_eq!(acknowledged.len(), 80);
    forked.parent.kill().unwrap();
    forked.parent.wait().unwrap();
    for error in [RocksStore::open(&store, child::options()).unwrap_err(), RedbStore::open(&file).unwrap_err()] {
        assert_eq!(error.kind, ErrorKind::AlreadyOpen);
        assert!(error.detail.contains(&format!("process {child} ")), "{error}");
    }
    let why = open(&store).unwrap_err().detail;
    assert!(why.contains(&format!("process {} opened it", forked.parent.id())) && why.contains("forked"), "{why}");

    forked.kill_child();
    let stores: [Arc<dyn Store>; 2] =
        [patiently(|| open(&store)), patiently(|| Ok(Arc::new(RedbStore::open(&file)?) as Arc<dyn Store>))];
    for id in acknowledged {
        assert!(stores.iter().any(|store| store.get(id).unwrap().is_some()), "job {id} is lost");
    }
    assert_eq!(patiently(|| open(&side)).unfinished().unwrap(), []);
}

/// Tries until the killed process has released the store.
fn patiently<T>(open: impl Fn() -> Result<T, job_runner::StoreError>) -> T {
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        match open() {
            Err(error) if error.kind == ErrorKind::AlreadyOpen && Instant::now() < until => thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// If the store went on after a move, half of a large result would be in the old place and half in the new.
/// Neither directory would open again.
#[test]
fn a_store_whose_directory_was_moved_takes_nothing_until_it_is_back_and_opens_where_it_is() {
    for replaced in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let [place, moved] = ["store", "moved"].map(|name| root.path().join(name));
        let mut acknowledged = Vec::new();
        {
            let store: Arc<dyn Store> = Arc::new(RocksStore::open(&place, child::options()).unwrap());
            let engine = engine(Arc::clone(&store)).unwrap();
            acknowledged.push((engine.submit(job(300)).unwrap().id(), 300));
            assert!(engine.driver().run_one().is_some());
            let large = engine.submit(job(1_000)).unwrap();
            fs::rename(&place, &moved).unwrap();
            if replaced {
                fs::create_dir(&place).unwrap();
            }
            let refused = engine.submit(job(1)).unwrap_err().to_string();
            assert!(refused.contains("move it back"), "{refused}");
            assert!(engine.driver().run_one().is_some());
            assert!(engine.health().is_err() || large.record().state == JobState::Waiting, "{:?}", large.record());
            assert_eq!(fs::read_dir(&place).map_or(0, Iterator::count), 0, "files were made in a place of others");
            if replaced {
                fs::remove_dir(&place).unwrap();
            }
            fs::rename(&moved, &place).unwrap();
            engine.driver().tick().unwrap();
            let later = engine.submit(job(400)).unwrap();
            assert!(engine.driver().run_one().is_some());
            later.wait().unwrap();
            acknowledged.push((later.id(), 400));
            fs::rename(&place, &moved).unwrap();
            if replaced {
                fs::create_dir(&place).unwrap();
            }
        }
        assert_eq!(fs::read_dir(&place).map_or(0, Iterator::count), 0, "closing made files in a place of others");
        let store: Arc<dyn Store> = Arc::new(RocksStore::open(&moved, child::options()).unwrap());
        for (id, rows) in acknowledged {
            assert_eq!(rows_of(&store, id), (0..rows).map(noise).collect::<Vec<_>>());
        }
    }
}

/// With few descriptors a store cannot be opened, or an engine cannot go on. Either is an error. With enough
/// descriptors again, every acknowledged job is there.
#[test]
fn a_process_without_file_descriptors_says_so_and_loses_nothing() {
    for limit in [8, 20, 32] {
        let directory = tempfile::tempdir().unwrap();
        let script = format!("ulimit -n {limit}; exec \"$0\" child \"$1\"");
        let task = a_child(directory.path(), 30);
        let output = run("sh", &["-c", &script, env!("CARGO_BIN_EXE_torture"), &task]).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("{limit} descriptors: {} lines, {refused}", said.lines().count());
        assert!(!refused.contains("panicked"), "{refused}");
        let acknowledged: Vec<JobId> = said
            .lines()
            .filter_map(|line| serde_json::from_str::<child::Told>(line).ok())
            .filter_map(|told| if let child::Told::Submitted(id, _) = told { Some(id) } else { None })
            .collect();
        let removing = said.matches("removing").count();
        let store: Arc<dyn Store> = Arc::new(RocksStore::open(directory.path(), child::options()).unwrap());
        let lost = acknowledged.iter().filter(|id| store.get(**id).unwrap().is_none()).count();
        assert!(lost <= removing, "{lost} jobs of {} are lost", acknowledged.len());
        let said_why = refused.contains("Too many open files") || said.contains("Too many open files");
        assert!(output.status.success() || said_why, "it ended without a reason: {refused}");
    }
}

/// With 256 descriptors, the default of some systems, and 700 results in files of their own, the database must not
/// use all of them. The host has to open files too.
#[test]
fn many_results_leave_the_host_most_of_its_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    let task = serde_json::to_string(&Crowd { store: directory.path().to_owned(), results: 700 }).unwrap();
    let script = "ulimit -n 256; exec \"$0\" crowd \"$1\"";
    let output = run("sh", &["-c", script, env!("CARGO_BIN_EXE_torture"), &task]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let left: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!(left >= 128, "{left} are left");
}

/// RocksDB ends the process if the system gives no thread. The test runs as a user with a limit, since root has
/// none.
#[test]
fn a_process_that_may_not_start_threads_says_how_many_are_needed() {
    const USER: &str = "--reuid=61234";
    let allowed = |program: &str, arguments: &[&str], threads: &str| {
        let limit = format!("--nproc={threads}");
        run("setpriv", &[&[USER, "--clear-groups", "prlimit", &limit, program], arguments].concat())
    };
    if allowed("true", &[], "10").is_none_or(|output| !output.status.success()) {
        test_servers::skip("only root can become another user");
        return;
    }
    // The program is copied to a directory that this user may read.
    let programs = tempfile::tempdir().unwrap();
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(programs.path(), readable).unwrap();
    let program = programs.path().join("torture");
    fs::copy(env!("CARGO_BIN_EXE_torture"), &program).unwrap();
    let program = program.to_str().unwrap();
    for threads in 1..=7 {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(directory.path(), Some(61_234), None).unwrap();
        let output = allowed(program, &["child", &a_child(directory.path(), 1)], &threads.to_string()).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        println!("{threads} threads: {:?} {said}", output.status);
        assert!(output.status.code().is_some(), "{threads} threads: {} {said}", output.status);
        if threads <= 3 {
            assert!(said.contains("needs 3 threads") && said.contains("ulimit -u"), "{threads} threads: {said}");
        }
    }
}

/// The scenario, whose outcome must be the same after every single failure.
fn scenario(store: &FaultStore) -> Result<(), EngineError> {
    let engine = engine(Arc::new(store.clone()))?;
    let large = engine.submit(job(400))?;
    let gone = engine.submit(job(5))?;
    engine.cancel(gone.id())?;
    engine.driver().run_until_idle();
    engine.remove(gone.id())?;
    let small = engine.submit(job(3))?;
    engine.driver().run_until_idle();
    for (handle, rows) in [(large, 400), (small, 3)] {
        let record = handle.record();
        if record.state == JobState::Complete(Outcome::Succeeded) {
            assert_eq!(record.size.rows, rows);
            body(handle.status(PageRequest::default()).unwrap());
        }
    }
    engine.driver().tick()
}

/// After one fault at any write, done or not, the next process finds every job and ends it.
fn sweep(fresh: impl Fn() -> (Box<dyn std::any::Any>, Arc<dyn Store>)) -> u64 {
    let count = {
        let (_keep, inner) = fresh();
        let store = FaultStore::new(inner);
        scenario(&store).unwrap();
        store.writes()
    };
    assert!(count > 10, "only {count} writes");
    for write in 0..count {
        for fault in [Fault::Write(write), Fault::AfterWrite(write), Fault::WritesFrom(write)] {
            let (_keep, inner) = fresh();
            let store = FaultStore::new(Arc::clone(&inner));
            store.plan(fault);
            if let Err(error) = scenario(&store) {
                let said = error.to_string();
                assert!(said.contains("injected") || said.contains("unhealthy"), "{fault:?}: {said}");
            }
            drop(store);
            let engine = engine(Arc::clone(&inner)).unwrap();
            for record in engine.reader().list(PageRequest::default()).unwrap() {
                let expected: u64 = record.spec.parameters().read().unwrap();
                // The next attempt may have to wait, so the clock is moved.
                engine.driver().run_until_idle();
                let record = inner.get(record.id).unwrap().unwrap();
                if record.state == JobState::Complete(Outcome::Succeeded) {
                    assert_eq!(
                        rows_of(&inner, record.id),
                        (0..expected).map(noise).collect::<Vec<_>>(),
                        "{fault:?}"
                    );
                } else {
                    let paused = record.state == JobState::Waiting && record.not_before.is_some();
                    assert!(
                        paused || record.state == JobState::Complete(Outcome::Cancelled),
                        "{fault:?}: {record:?}"
                    );
                }
            }
        }
    }
    count * 3
}

#[test]
fn whichever_write_fails_once_nothing_is_lost_or_wrong() {
    let in_memory = sweep(|| (Box::new(()), Arc::new(MemoryStore::default())));
    let on_disk = sweep(|| {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).unwrap();
        (Box::new(directory), store)
    });
    println!("{} faults", in_memory + on_disk);
}

/// The engine must not keep files, memory or a lock of a store whose directory was removed.
#[test]
fn a_store_whose_directory_is_gone_fails_with_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("gone");
    let engine = engine(open(&missing).unwrap()).unwrap();
    drop(engine.submit(job(3)).unwrap());
    fs::remove_dir_all(&missing).unwrap();
    // The log is still an open file, so the call may succeed or fail, but it ends.
    let _ = engine.driver().run_one();
    drop(engine);
    let _ = open(&missing);
    let _ = Durability::default();
}
