//! Laws about reading back: no value is lost, cut, spelled differently or put in another order.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc, thread};

use job_core::{
    Event, Failure, FailureKind, JobClass, JobId, JobKind, JobRecord, JobResult, JobSpec, JobState, Outcome,
    Outputs, Parameters, ResultSize, RowList, Segment,
};
use serde_json::value::RawValue;

use super::{
    Broken, Fixture, UsageOfOne, at, finish, key, list, read, running, succeeded, versioned, waiting, within,
    write,
};
use crate::{BlockBuilder, Durability, ErrorKind, ResultStore, SegmentKey, Store};

/// JSON with details that a parser drops: spaces, order, digits and repeated names.
const SPELLED: &str = r#"{ "b" : 1.50, "a":1e2,"a": "\u00e9é", "n":12345678901234567890.10,"c":[ ] , "z":-0.0 }"#;

law! { Fixture;
    /// Each record sets one option, so that a mix-up of two options shows.
    [RecordWhole]
    fn every_option_of_a_request_is_read_back(store) {
        let spec = |kind: &str| JobSpec::algorithm(kind).with_graph("图");
        let specs = [
            spec("a").priority(-128),
            spec("a").priority(127),
            spec("a").class(JobClass::Write),
            spec("a").idempotency_key("key"),
            spec("a").graph_version("v 1"),
            spec("a").reuse_result(),
            spec("a").deadline(at(u64::MAX)),
            spec("a").deadline(at(0)),
            spec("a").max_rows(u64::MAX),
            spec("a").max_bytes(u64::MAX - 1),
            spec("a").max_memory(0),
            spec("a").keep_rows(),
            spec("a").max_attempts(1),
            spec("a").max_attempts(u32::MAX),
            spec("a").owner("Sarah"),
            spec("a").owner(" sarah "),
            spec("a").label("nightly").label("Nightly").label("团队=搜索"),
            (0..JobSpec::MAX_LABELS).fold(spec("a"), |spec, n| spec.label(format!("{n}{}", "l".repeat(250)))),
            spec("a").trace_parent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            spec("a").raw_request("{ \"图\": \"a\\u0000b\" }"),
            spec("a").ignoring(["alhpa".to_owned(), "图".to_owned()]),
            spec("a").again_of(JobId::MAX),
            spec("PageRank-西德尼"),
            spec("pagerank"),
            JobSpec::vertex_filter().with_graph("g"),
            JobSpec::edge_filter().with_graph("G"),
            spec("a").with_raw_parameters(Parameters::from_text(SPELLED.to_owned())?),
            spec("a").with_raw_parameters(Parameters::from_text(format!("{:?}", "x".repeat(1 << 19)))?),
            spec(&"é".repeat(128)).with_graph("图".repeat(85)).idempotency_key("k".repeat(256)).graph_version("v".repeat(256)),
        ];
        let records: Vec<_> = specs
            .into_iter()
            .zip(1..)
            .map(|(spec, n)| JobRecord { spec: Arc::new(spec), ..waiting(n) })
            .collect();
        store.insert(&records, Durability::Buffered)?;
        are_whole(store, &records)?;
        // The options are the same after the jobs have run.
        let started = records.iter().map(|record| record.apply(Event::Start, at(7))).collect::<Result<Vec<_>, _>>()?;
        for record in &started {
            store.replace(record, Durability::Buffered)?;
        }
        are_whole(store, &started)?;
        let ended = started.iter().map(|record| record.apply(Event::Succeed(ResultSize::default()), at(8)));
        let ended = ended.collect::<Result<Vec<_>, _>>()?;
        let result = JobResult::default();
        let ends: Vec<_> = ended.iter().map(|record| (record, &result)).collect();
        store.complete(&ends, Durability::Buffered)?;
        are_whole(store, &ended)?;
    }

    /// Each field is set to its own value, alone and together with all others.
    [RecordWhole]
    fn every_field_of_a_record_is_read_back(store) {
        let plain = running(store, 1)?;
        let big = (1 << 40) + 1;
        let failure = |kind, text: &str| Some(Failure { kind, message: text.to_owned() });
        let kinds = [
            FailureKind::Handler, FailureKind::Panicked, FailureKind::Interrupted, FailureKind::Shutdown,
            FailureKind::Store, FailureKind::Deadline, FailureKind::RowBudget, FailureKind::ByteBudget,
            FailureKind::MemoryBudget,
        ];
        let longest = Failure::new(FailureKind::Handler, "西".repeat(2_000)).message;
        let mut shapes = vec![
            JobRecord { failed_attempts: u32::MAX, ..plain.clone() },
            JobRecord { started_at: Some(at(big)), ..plain.clone() },
            JobRecord { started_at: None, ..plain.clone() },
            JobRecord { cancel_requested_at: Some(at(big)), state: JobState::Running { cancelling: true }, ..plain.clone() },
            JobRecord { not_before: Some(at(big)), state: JobState::Waiting, ..plain.clone() },
            JobRecord { submitted_at: at(big + 1), ..plain.clone() },
            JobRecord { size: ResultSize { rows: u64::MAX, bytes: 0 }, ..plain.clone() },
            JobRecord { size: ResultSize { rows: 0, bytes: u64::MAX }, ..plain.clone() },
            JobRecord { progress: Some(0), ..plain.clone() },
            JobRecord { progress: Some(100), ..plain.clone() },
            JobRecord { later: [(200, b"trace".to_vec()), (201, Vec::new())].into_iter().collect(), ..plain.clone() },
            JobRecord { attempt: 70_000, ..plain.clone() },
            JobRecord { failure: failure(FailureKind::Handler, &longest), ..plain.clone() },
            JobRecord { failure: failure(FailureKind::Handler, " \u{0}\r\n\"'\\ 😀 "), ..plain.clone() },
            JobRecord { failure: failure(FailureKind::Handler, ""), ..plain.clone() },
            JobRecord { started_at: Some(at(7)), ..plain.clone() },
        ];
        shapes.extend(kinds.map(|kind| JobRecord { failure: failure(kind, "why"), ..plain.clone() }));
        shapes.extend([Outcome::Failed, Outcome::Cancelled].map(|ending| JobRecord {
            state: JobState::Complete(ending),
            finished_at: Some(at(big + 2)),
            ..plain.clone()
        }));
        for (shape, n) in shapes.into_iter().zip(2..) {
            let id = waiting(n).id;
            store.insert(&[waiting(n)], Durability::Buffered)?;
            let next = JobRecord { id, revision: 1, ..shape };
            store.replace(&next, Durability::Buffered)?;
            are_whole(store, &[next])?;
        }
        // A job that is inserted with a history.
        let told = JobRecord { id: waiting(99).id, revision: 1 << 33, ..plain };
        store.insert(std::slice::from_ref(&told), Durability::Synced)?;
        are_whole(store, &[told])?;
    }

    /// Ids whose first or last bytes are the least and the greatest.
    [ListWindow, Unfinished, NoSuchJob]
    fn the_least_and_the_greatest_id_are_jobs_like_others(store) {
        let [least, middle, greatest] =
            [JobId::MIN, waiting(5).id, JobId::MAX].map(|id| JobRecord { id, ..waiting(5) });
        store.insert(&[greatest.clone(), least.clone(), middle.clone()], Durability::Buffered)?;
        assert_eq!(store.list(None, 0, 9)?, [greatest.clone(), middle.clone(), least.clone()]);
        assert_eq!(store.list(None, 1, 1)?, std::slice::from_ref(&middle));
        assert_eq!(store.list(Some(greatest.id), 0, 9)?, [middle.clone(), least.clone()]);
        assert_eq!(store.list(Some(least.id), 0, 9)?, []);
        assert_eq!(store.unfinished()?, [least.clone(), middle, greatest.clone()]);
        for job in [least, greatest] {
            let running = job.apply(Event::Start, at(1))?;
            store.replace(&running, Durability::Buffered)?;
            let result = list(vec![write(store, key(&running, u32::MAX), 0, 5, 2)?]);
            let done = running.apply(Event::Succeed(result.size()), at(2))?;
            store.complete(&[(&done, &result)], Durability::Buffered)?;
            assert_eq!(read(store, key(&done, u32::MAX), 0..5)?.len(), 5);
            assert!(store.remove(done.id)?);
            assert_eq!((store.get(done.id)?, store.result(done.id)?), (None, None));
        }
        assert_eq!(store.list(None, 0, 9)?.len(), 1);
    }

    /// A walk in windows of any size meets each of many jobs once.
    [ListWindow, Unfinished]
    fn a_walk_over_many_jobs_meets_each_once(store) {
        const JOBS: u64 = 700;
        let jobs: Vec<_> = (1..=JOBS).map(|n| waiting(n * 2)).collect();
        store.insert(&jobs, Durability::Buffered)?;
        let ids: Vec<_> = jobs.iter().rev().map(|job| job.id).collect();
        for limit in [1, 7, 256, 699, 700, 701, usize::MAX] {
            let (mut seen, mut before) = (Vec::new(), None);
            while seen.len() < ids.len() && (limit > 1 || seen.len() < 20) {
                let batch = store.list(before, 0, limit)?;
                let Some(last) = batch.last() else { break };
                assert_eq!(batch.len(), limit.min(ids.len() - seen.len()), "in pieces of {limit}");
                before = Some(last.id);
                seen.extend(batch.iter().map(|job| job.id));
            }
            assert_eq!(seen, ids[..seen.len()], "in pieces of {limit}");
            assert!(limit == 1 || seen.len() == ids.len(), "in pieces of {limit}: {} jobs", seen.len());
        }
        // The walk begins between two jobs, and skips some.
        let odd = waiting(401).id;
        assert_eq!(store.list(Some(odd), 0, 1)?, [waiting(400)]);
        assert_eq!(store.list(Some(odd), 199, 3)?, [waiting(2)]);
        assert_eq!(store.list(Some(odd), 200, 3)?, []);
        assert_eq!(store.list(None, 1 << 32, 3)?, []);
        assert_eq!(store.unfinished()?, jobs);
    }

    /// Requeued, suspected and cancelling jobs are unfinished; ended ones are not.
    [Unfinished]
    fn a_job_is_unfinished_until_it_ends(store) {
        let failure = |kind| Failure::new(kind, "no");
        let jobs = [running(store, 1)?, running(store, 2)?, running(store, 3)?, running(store, 4)?, running(store, 5)?];
        let requeued = jobs[0].apply(Event::Requeue(failure(FailureKind::Handler), Some(at(9))), at(8))?;
        let suspected = jobs[1].apply(Event::Suspect(failure(FailureKind::Interrupted)), at(8))?;
        let cancelling = jobs[2].apply(Event::Cancel, at(8))?;
        let left = [requeued, suspected, cancelling];
        for next in &left {
            store.replace(next, Durability::Buffered)?;
        }
        let failed = jobs[3].apply(Event::Fail(failure(FailureKind::Handler)), at(8))?;
        store.replace(&failed, Durability::Buffered)?;
        let result = JobResult::default();
        store.complete(&[(&jobs[4].apply(Event::Succeed(result.size()), at(8))?, &result)], Durability::Buffered)?;
        store.insert(&[waiting(6), waiting(7)], Durability::Buffered)?;
        store.replace(&waiting(6).apply(Event::Cancel, at(8))?, Durability::Buffered)?;
        store.replace(&waiting(7).apply(Event::Expire(failure(FailureKind::Deadline)), at(8))?, Durability::Buffered)?;
        assert_eq!(store.unfinished()?, left);
        assert_eq!(store.list(None, 0, 99)?.len(), 7);
    }

    /// Keys are not trimmed, not folded to one case, and not joined with the name of the graph.
    [KeyTaken, FindKey]
    fn idempotency_keys_are_compared_byte_by_byte(store) {
        let names = [
            ("g", "key"), ("g", "Key"), ("g", "KEY"), ("g", "key "), ("g", " key"), ("G", "key"), ("gk", "ey"),
            ("g", "\u{e9}"), ("g", "e\u{301}"), ("g", "图"), ("图", "key"), ("g", "a\tb"), ("g", "a b"), ("g", "%"), ("g", "_"),
            ("g", "1"), ("g", "01"), ("g/", "key"), ("g", "/key"), ("g ", "key"), ("g", "ＫＥＹ"), ("g", "İ"), ("g", "ß"), ("g", "ss"),
        ];
        let job = |(graph, key): (&str, &str), n| JobRecord {
            spec: Arc::new(JobSpec::vertex_filter().with_graph(graph).idempotency_key(key)),
            ..waiting(n)
        };
        let jobs: Vec<_> = names.into_iter().zip(1..).map(|(name, n)| job(name, n)).collect();
        store.insert(&jobs, Durability::Buffered)?;
        for ((graph, key), record) in names.into_iter().zip(&jobs) {
            assert_eq!(store.find_key(graph, key)?, Some(record.id), "{graph:?} {key:?}");
            let twin = job((graph, key), 99);
            let refused = store.insert(std::slice::from_ref(&twin), Durability::Buffered).unwrap_err();
            assert_eq!((refused.kind, refused.job), (ErrorKind::AlreadyExists, Some(record.id)), "{graph:?} {key:?}");
        }
        for (graph, key) in [("g", "kEy"), ("g", "ke"), ("g", "key\u{0}"), ("g", "keyy"), ("", "gkey"), ("gkey", "")] {
            assert_eq!(store.find_key(graph, key)?, None, "{graph:?} {key:?}");
        }
        assert_eq!(store.get(waiting(99).id)?, None);
    }

    /// Every byte of the request counts, and only a job that succeeded. Options do not count.
    [FindReusable]
    fn finished_work_is_told_apart(store) {
        let text = |json: &str| Parameters::from_text(json.to_owned());
        let of = |spec: JobSpec, graph: &str, version: &str| spec.with_graph(graph).graph_version(version);
        let specs = [
            of(JobSpec::vertex_filter(), "g", "v"),
            of(JobSpec::edge_filter(), "g", "v"),
            of(JobSpec::algorithm("v"), "g", "v"),
            of(JobSpec::algorithm("V"), "g", "v"),
            of(JobSpec::algorithm("vertex_filter"), "g", "v"),
            of(JobSpec::vertex_filter(), "G", "v"),
            of(JobSpec::vertex_filter(), "g", "V"),
            of(JobSpec::vertex_filter(), "gv", ""),
            of(JobSpec::vertex_filter(), "", "gv"),
            of(JobSpec::vertex_filter().with_raw_parameters(text("[1,2]")?), "g", "v"),
            of(JobSpec::vertex_filter().with_raw_parameters(text("[1, 2]")?), "g", "v"),
            of(JobSpec::vertex_filter().with_raw_parameters(text("[2,1]")?), "g", "v"),
            of(JobSpec::vertex_filter().with_raw_parameters(text("[1.0,2]")?), "g", "v"),
        ];
        let mut done = Vec::new();
        for (spec, n) in specs.iter().zip(1..) {
            assert_eq!(store.find_reusable(spec)?, None, "{spec:?}");
            done.push(finish(store, &JobRecord { spec: Arc::new(spec.clone()), ..waiting(n) })?);
        }
        for (spec, job) in specs.iter().zip(&done) {
            assert_eq!(store.find_reusable(spec)?, Some(job.id), "{spec:?}");
            let otherwise = spec.clone().idempotency_key("other").priority(9).keep_rows().max_rows(1).max_attempts(9);
            assert_eq!(store.find_reusable(&otherwise)?, Some(job.id), "{spec:?}");
        }
        assert_eq!(store.find_reusable(&JobSpec::vertex_filter().with_graph("g"))?, None, "it names no version");
        // An older job that succeeds later is the last one; one that fails or was cancelled with rows is not.
        let again = JobRecord { spec: Arc::new(specs[3].clone()), ..waiting(50) };
        let newer = finish(store, &again)?;
        assert_eq!(store.find_reusable(&specs[3])?, Some(newer.id));
        let older = finish(store, &JobRecord { spec: Arc::new(specs[3].clone()), ..waiting(49) })?;
        assert_eq!(store.find_reusable(&specs[3])?, Some(older.id));
        for (n, cancel) in [(51, false), (52, true)] {
            let job = JobRecord { spec: Arc::new(specs[3].clone()), ..waiting(n) };
            store.insert(std::slice::from_ref(&job), Durability::Buffered)?;
            let running = job.apply(Event::Start, at(1))?;
            store.replace(&running, Durability::Buffered)?;
            let result = list(Vec::new());
            let end = if cancel {
                let cancelling = running.apply(Event::Cancel, at(2))?;
                store.replace(&cancelling, Durability::Buffered)?;
                cancelling.apply(Event::Stop, at(3))?
            } else {
                running.apply(Event::Fail(Failure::new(FailureKind::RowBudget, "too many")), at(3))?
            };
            store.complete(&[(&end, &result)], Durability::Buffered)?;
            assert_eq!(store.find_reusable(&specs[3])?, Some(older.id));
        }
        assert!(store.remove(newer.id)?);
        assert_eq!(store.find_reusable(&specs[3])?, Some(older.id));
    }

    /// The order of the segments is the order of the rows. Names, values and their spelling stay as the job gave
    /// them.
    [ResultWhole, Read]
    fn a_result_is_read_back_whole_with_its_segments_in_order(store) {
        let running = running(store, 1)?;
        let mut segments = Vec::new();
        for (number, rows) in [(2, 5), (0, 0), (7, 3), (1, 4), (3, 1)] {
            segments.push(write(store, key(&running, number), u64::from(number) * 100, rows, 2)?);
        }
        let mut outputs = Outputs::default();
        outputs.insert("z", "first")?;
        outputs.insert("a", &["Sarah", "西德尼"])?;
        outputs.insert_json("Spelled", RawValue::from_string(SPELLED.to_owned())?)?;
        outputs.insert("spelled", &())?;
        let result = JobResult { outputs, list: Some(RowList::new("顶点 Vertices", segments.clone())) };
        let done = running.apply(Event::Succeed(result.size()), at(9))?;
        store.complete(&[(&done, &result)], Durability::Buffered)?;
        let found = store.result(done.id)?.ok_or("it has no result")?;
        let pairs = |outputs: &Outputs| {
            outputs.iter().map(|(name, json)| (name.to_owned(), json.to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(pairs(&found.outputs), pairs(&result.outputs));
        let list = found.list.ok_or("it has no list")?;
        assert_eq!((list.name(), list.segments()), ("顶点 Vertices", segments.as_slice()));
        assert_eq!((list.rows(), list.size()), (13, done.size));
        let mut page = Vec::new();
        for (segment, rows) in list.parts(3..11) {
            page.extend(read(store, key(&done, segment.number), rows)?);
        }
        assert_eq!(page, [203, 204, 700, 701, 702, 100, 101, 102]);
    }

    /// More segments than a store keeps in one small value.
    [ResultWhole]
    fn a_result_of_very_many_segments_is_read_back(store) {
        let running = running(store, 1)?;
        let told = |number| match number % 500 {
            0 => write(store, key(&running, number), 0, 3, 2),
            _ => Ok(Segment { attempt: 1, number, rows: 0, bytes: u64::from(number) << 30 }),
        };
        let result = list((0..5_000).map(told).collect::<Result<_, _>>()?);
        let done = running.apply(Event::Succeed(result.size()), at(9))?;
        store.complete(&[(&done, &result)], Durability::Buffered)?;
        assert_eq!(store.result(done.id)?, Some(result));
    }

    /// Rows come back byte by byte, with any content and any number of rows in a block.
    [Read, RowsDense]
    fn rows_are_handed_out_as_they_were_pushed(store) {
        let running = running(store, 1)?;
        let texts = [SPELLED, "null", "1.50", "\"a,b\\u0000,\"", "[ 1 ,2]", "-0", "\"\"", "\"😀\"", "12345678901234567890123.0", "{}"];
        for (number, per_block) in [(0, 1), (1, 3), (2, 100)] {
            let key = key(&running, number);
            let (mut writer, mut block) = (store.segment(key)?, BlockBuilder::new(key));
            for text in texts {
                block.push_json(&RawValue::from_string(text.to_owned())?)?;
                if block.rows() == per_block {
                    writer.append(block.seal())?;
                }
            }
            if block.rows() > 0 {
                writer.append(block.seal())?;
            }
            let segment = writer.finish()?;
            assert_eq!((segment.attempt, segment.number, segment.rows), (1, number, 10));
            for start in 0..10 {
                let mut found = Vec::new();
                store.read(key, start..10, &mut |run| {
                    assert!(!run.is_empty());
                    found.extend(run.unpack()?.iter().map(|row| String::from_utf8_lossy(row).into_owned()));
                    Ok(ControlFlow::Continue(()))
                })?;
                assert_eq!(found, texts[usize::try_from(start)?..], "from row {start} in blocks of {per_block}");
            }
        }
    }

    /// Segments and attempts may have any 32-bit number. A read of an empty range gives nothing.
    [SegmentsApart, ReadRefused]
    fn segments_and_attempts_are_told_apart_by_their_whole_number(store) {
        let mut record = running(store, 1)?;
        let numbers = [0, 1, 255, 256, 65_535, 65_536, u32::MAX];
        let mut written = Vec::new();
        for round in 0..2 {
            for number in numbers {
                let from = u64::from(number) * 10 + round * 5;
                let segment = write(store, key(&record, number), from, 3, 2)?;
                assert_eq!((segment.attempt, segment.number, segment.rows), (record.attempt, number, 3));
                written.push((key(&record, number), from));
            }
            let gone = Failure::new(FailureKind::Interrupted, "gone");
            record = record.apply(Event::Requeue(gone, None), at(3))?;
            store.replace(&record, Durability::Buffered)?;
            record = record.apply(Event::Start, at(4))?;
            store.replace(&record, Durability::Buffered)?;
        }
        for (key, from) in written {
            assert_eq!(read(store, key, 0..3)?, [from, from + 1, from + 2], "{key:?}");
            assert_eq!(read(store, key, 0..4).unwrap_err().kind, ErrorKind::Corrupt);
        }
        for (attempt, number) in [(1, 2), (1, 254), (2, 257), (3, 0), (0, 0)] {
            let key = SegmentKey { number, attempt, job: record.id };
            assert_eq!(read(store, key, 0..1).unwrap_err().kind, ErrorKind::Corrupt, "{key:?}");
            assert_eq!(read(store, key, 0..0)?, [0u64; 0]);
        }
        #[expect(clippy::reversed_empty_ranges, reason = "it is empty")]
        let backwards = 3..1;
        assert_eq!(read(store, key(&record, 0), backwards)?, [0u64; 0]);
    }

    /// A cancelled attempt writes until its end, because a job may keep its rows. The attempts before and after it
    /// write nothing.
    [Fence]
    fn an_attempt_that_is_cancelled_writes_until_its_end(store) {
        let running = running(store, 1)?;
        let before = key(&running, 0);
        let (mut writer, mut block) = (store.segment(before)?, BlockBuilder::new(before));
        block.push(&0)?;
        writer.append(block.seal())?;
        let cancelling = running.apply(Event::Cancel, at(5))?;
        store.replace(&cancelling, Durability::Buffered)?;
        block.push(&1)?;
        writer.append(block.seal())?;
        let first = writer.finish()?;
        let second = write(store, key(&running, 1), 2, 5, 2)?;
        store.save_checkpoint(running.id, 1, b"to the last")?;
        for attempt in [0, 2, u32::MAX] {
            let other = SegmentKey { attempt, ..before };
            assert_eq!(store.segment(other).unwrap_err().kind, ErrorKind::Fenced);
            assert_eq!(store.save_checkpoint(running.id, attempt, b"").unwrap_err().kind, ErrorKind::Fenced);
        }
        let result = list(vec![first, second]);
        let stopped = cancelling.apply(Event::Stop, at(6))?.stopped_at(40).keeping(result.size());
        store.complete(&[(&stopped, &result)], Durability::Buffered)?;
        assert_eq!((store.get(running.id)?, store.result(running.id)?), (Some(stopped), Some(result)));
        assert_eq!([read(store, before, 0..2)?, read(store, key(&running, 1), 0..5)?].concat(), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(store.segment(key(&running, 2)).unwrap_err().kind, ErrorKind::Fenced);
    }

    /// Failed and cancelled jobs with a result keep their rows until they are removed, as succeeded ones do.
    [ResultWhole, DiscardRefused, RemoveWhole]
    fn however_a_job_ends_with_a_result_it_keeps_its_rows(store) {
        for n in [1, 2, 3, 4] {
            let mut record = running(store, n)?;
            let result = list(vec![write(store, key(&record, 0), 0, 30, 7)?, write(store, key(&record, 1), 30, 9, 7)?]);
            store.save_checkpoint(record.id, 1, b"half way")?;
            let end = match n {
                1 => Event::Succeed(result.size()),
                2 => Event::Fail(Failure::new(FailureKind::RowBudget, "too many")),
                _ => {
                    record = record.apply(Event::Cancel, at(6))?;
                    store.replace(&record, Durability::Buffered)?;
                    Event::Stop
                }
            };
            let end = record.apply(end, at(7))?.keeping(result.size());
            let durability = if n == 4 { Durability::Buffered } else { Durability::Synced };
            store.complete(&[(&end, &result)], durability)?;
            assert_eq!((store.get(end.id)?, store.result(end.id)?), (Some(end.clone()), Some(result)));
            assert_eq!(store.discard(end.id, 1).unwrap_err().kind, ErrorKind::Invalid);
            assert_eq!(store.discard(end.id, u32::MAX).unwrap_err().kind, ErrorKind::Invalid);
            assert_eq!(store.checkpoint(end.id)?, None);
            for (number, rows) in [(0, 0..30), (1, 30..39)] {
                let found = read(store, key(&end, number), 0..rows.end - rows.start)?;
                assert_eq!(found, rows.collect::<Vec<_>>(), "{}", end.state);
            }
            let late = end.revision + 1;
            let never = JobRecord { revision: late, ..waiting(n) };
            assert!(store.get(end.id)?.is_some_and(|found| found != never));
        }
        for n in 1..=4 {
            assert!(store.remove(waiting(n).id)?);
            let first = SegmentKey { job: waiting(n).id, attempt: 1, number: 0 };
            assert_eq!(blocks(store, first)?, [0u64; 0]);
            assert_eq!(read(store, first, 0..1).unwrap_err().kind, ErrorKind::NotFound);
            assert!(!store.remove(waiting(n).id)?);
        }
    }

    /// Such an end removes the rows of every attempt and segment, sealed or not. Rows of other jobs stay.
    [EndDropsRows]
    fn no_row_stays_behind_a_job_that_ends_without_a_result(store) {
        let failure = |kind| Failure::new(kind, "no");
        for n in [10, 20, 30, 40, 50] {
            let neighbours = [running(store, n - 1)?, running(store, n + 1)?];
            for job in &neighbours {
                write(store, key(job, 0), 0, 5, 2)?;
            }
            let mut record = running(store, n)?;
            write(store, key(&record, 0), 0, 20, 7)?;
            write(store, key(&record, 3), 0, 20, 7)?;
            let first = record.clone();
            record = record.apply(Event::Requeue(failure(FailureKind::Handler), None), at(7))?;
            store.replace(&record, Durability::Buffered)?;
            let mut keys = vec![key(&first, 0), key(&first, 3)];
            if n > 20 {
                record = record.apply(Event::Start, at(8))?;
                store.replace(&record, Durability::Buffered)?;
                write(store, key(&record, 0), 0, 20, 7)?;
                keys.push(key(&record, 0));
            }
            let event = match n {
                10 => Event::Cancel,
                20 => Event::Expire(failure(FailureKind::Deadline)),
                30 => Event::Fail(failure(FailureKind::Handler)),
                _ => {
                    record = record.apply(Event::Cancel, at(9))?;
                    store.replace(&record, Durability::Buffered)?;
                    if n == 40 { Event::Stop } else { Event::Fail(failure(FailureKind::Panicked)) }
                }
            };
            let ended = record.apply(event, at(10))?;
            store.replace(&ended, Durability::Buffered)?;
            for key in keys {
                assert_eq!(blocks(store, key)?, [0u64; 0], "{} {key:?}", ended.state);
                assert_eq!(read(store, key, 0..1).unwrap_err().kind, ErrorKind::Corrupt);
            }
            assert_eq!(store.result(ended.id)?, None);
            for job in neighbours {
                assert_eq!(read(store, key(&job, 0), 0..5)?.len(), 5);
            }
        }
    }

    /// A discard drops the rows of all attempts up to the given one. For an unknown job it does nothing.
    [Discard]
    fn discard_drops_up_to_an_attempt_and_no_further(store) {
        let mut record = running(store, 2)?;
        let neighbours = [running(store, 1)?, running(store, 3)?];
        for job in &neighbours {
            write(store, key(job, 0), 0, 4, 2)?;
        }
        for _ in 1..5 {
            for number in [0, 1, u32::MAX] {
                write(store, key(&record, number), 0, 4, 2)?;
            }
            record = record.apply(Event::Requeue(Failure::new(FailureKind::Interrupted, "gone"), None), at(3))?;
            store.replace(&record, Durability::Buffered)?;
            record = record.apply(Event::Start, at(4))?;
            store.replace(&record, Durability::Buffered)?;
        }
        write(store, key(&record, 0), 0, 4, 2)?;
        store.discard(waiting(9).id, u32::MAX)?;
        for until in [0, 1, 3, 4] {
            store.discard(record.id, until)?;
            for attempt in 1..5 {
                for number in [0, 1, u32::MAX] {
                    let key = SegmentKey { job: record.id, attempt, number };
                    let expected: &[u64] = if attempt > until { &[2, 4] } else { &[] };
                    assert_eq!(blocks(store, key)?, expected, "{attempt}.{number} after {until}");
                }
            }
        }
        assert_eq!(read(store, key(&record, 0), 0..4)?, [0, 1, 2, 3]);
        write(store, key(&record, 1), 0, 4, 2)?;
        for job in neighbours {
            assert_eq!(read(store, key(&job, 0), 0..4)?.len(), 4);
        }
    }

    /// Each job has its own checkpoint, byte by byte. The newest counts, even if it is shorter, empty or of a
    /// later attempt.
    [Checkpoint, CheckpointGoes]
    fn a_checkpoint_is_of_its_job_and_kept_byte_by_byte(store) {
        let jobs = [running(store, 1)?, running(store, 2)?, running(store, 3)?];
        let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        for (job, from) in jobs.iter().zip(0..) {
            assert_eq!(store.checkpoint(job.id)?, None);
            store.save_checkpoint(job.id, 1, &bytes[from..])?;
        }
        store.save_checkpoint(jobs[1].id, 1, b"\0")?;
        assert_eq!(store.checkpoint(jobs[0].id)?.as_deref(), Some(&bytes[..]));
        assert_eq!(store.checkpoint(jobs[1].id)?.as_deref(), Some(b"\0".as_slice()));
        assert_eq!(store.checkpoint(jobs[2].id)?.as_deref(), Some(&bytes[2..]));
        assert_eq!(store.checkpoint(waiting(4).id)?, None);
        // A checkpoint outlives the attempt, a cancel request and a discard. The end of the job removes it, also
        // of a waiting job.
        let again = jobs[0].apply(Event::Suspect(Failure::new(FailureKind::Interrupted, "died")), at(5))?;
        store.replace(&again, Durability::Buffered)?;
        store.discard(again.id, u32::MAX)?;
        let cancelling = jobs[1].apply(Event::Cancel, at(5))?;
        store.replace(&cancelling, Durability::Buffered)?;
        assert_eq!(store.checkpoint(again.id)?.map(|bytes| bytes.len()), Some(300_000));
        assert_eq!(store.checkpoint(cancelling.id)?.as_deref(), Some(b"\0".as_slice()));
        store.replace(&again.apply(Event::Cancel, at(6))?, Durability::Buffered)?;
        store.replace(&cancelling.apply(Event::Stop, at(6))?, Durability::Buffered)?;
        assert_eq!((store.checkpoint(again.id)?, store.checkpoint(cancelling.id)?), (None, None));
        assert_eq!(store.checkpoint(jobs[2].id)?.as_deref(), Some(&bytes[2..]));
        let result = JobResult::default();
        store.complete(&[(&jobs[2].apply(Event::Succeed(result.size()), at(7))?, &result)], Durability::Buffered)?;
        assert_eq!(store.checkpoint(jobs[2].id)?, None);
    }

    /// A replace needs the revision after the stored one. Every refusal names the job and leaves it unchanged.
    [CompareAndSet, CompleteRefused, NoSuchJob]
    fn the_next_revision_is_one_more(store) {
        let running = running(store, 1)?;
        let result = JobResult::default();
        let next = running.apply(Event::Cancel, at(5))?;
        let done = running.apply(Event::Succeed(result.size()), at(5))?;
        for revision in [0, 1, 3, 4, 1 << 20] {
            let outcomes = [
                store.replace(&JobRecord { revision, ..next.clone() }, Durability::Buffered),
                store.complete(&[(&JobRecord { revision, ..done.clone() }, &result)], Durability::Buffered),
            ];
            for outcome in outcomes {
                let refused = outcome.unwrap_err();
                assert_eq!((refused.kind, refused.job), (ErrorKind::Conflict, Some(running.id)), "{revision}");
            }
        }
        let unknown = JobRecord { id: waiting(7).id, ..done.clone() };
        let refused = store.complete(&[(&unknown, &result)], Durability::Buffered).unwrap_err();
        assert_eq!((refused.kind, refused.job), (ErrorKind::NotFound, Some(unknown.id)));
        let refused = store.replace(&unknown, Durability::Buffered).unwrap_err();
        assert_eq!((refused.kind, refused.job), (ErrorKind::NotFound, Some(unknown.id)));
        assert_eq!((store.get(unknown.id)?, store.result(unknown.id)?), (None, None));
        assert_eq!((store.get(running.id)?, store.result(running.id)?), (Some(running), None));
        assert_eq!(store.checkpoint(unknown.id)?, None);
        assert_eq!(store.pin(unknown.id, crate::Pin::Release).unwrap_err().kind, ErrorKind::NotFound);
    }

    /// Each end of the batch is the wrong one in turn, in every way. Of two wrong ends the first is told, unless the other
    /// is not complete.
    [CompleteAll, CompleteRefused]
    fn one_wrong_end_keeps_all_of_them_out(store) {
        let jobs = [running(store, 1)?, running(store, 2)?, running(store, 3)?];
        let result = JobResult::default();
        let mut ends = Vec::new();
        for job in &jobs {
            ends.push(job.apply(Event::Succeed(result.size()), at(9))?);
        }
        let unknown = JobRecord { id: waiting(9).id, ..ends[0].clone() };
        let stale = JobRecord { revision: 1, ..ends[0].clone() };
        let open = jobs[0].apply(Event::Cancel, at(9))?;
        for (wrong, kind) in [(&unknown, ErrorKind::NotFound), (&stale, ErrorKind::Conflict), (&open, ErrorKind::Invalid)] {
            for place in 0..3 {
                let mut batch = vec![&ends[1], &ends[2]];
                batch.insert(place, wrong);
                let batch: Vec<_> = batch.into_iter().map(|end| (end, &result)).collect();
                let refused = store.complete(&batch, Durability::Buffered).unwrap_err();
                assert_eq!((refused.kind, refused.job), (kind, Some(wrong.id)), "at place {place}");
                assert_eq!(store.unfinished()?, jobs);
                for job in &jobs {
                    assert_eq!(store.result(job.id)?, None);
                }
            }
        }
        for (first, second, told) in
            [(&unknown, &stale, &unknown), (&stale, &unknown, &stale), (&stale, &open, &open), (&open, &unknown, &open)]
        {
            let batch = [(&ends[1], &result), (first, &result), (second, &result)];
            let refused = store.complete(&batch, Durability::Buffered).unwrap_err();
            assert_eq!((refused.job, refused.kind == ErrorKind::Invalid), (Some(told.id), told == &open));
        }
        store.complete(&ends.iter().map(|end| (end, &result)).collect::<Vec<_>>(), Durability::Buffered)?;
        assert_eq!(store.unfinished()?, []);
    }

    /// Each job of the batch is the wrong one in turn. No key or list leads to the other jobs afterwards.
    [InsertWhole, IdTaken]
    fn one_wrong_job_keeps_the_whole_batch_out(store) {
        let named = |n: u64, key: &str| JobRecord {
            spec: Arc::new(JobSpec::clone(&waiting(n).spec).idempotency_key(key)),
            ..waiting(n)
        };
        store.insert(&[named(1, "taken")], Durability::Buffered)?;
        for wrong in [waiting(1), named(9, "taken"), waiting(2), named(9, "new 3")] {
            for place in 0..3 {
                let mut batch = vec![named(2, "new 2"), named(3, "new 3")];
                batch.insert(place.min(batch.len()), wrong.clone());
                let refused = store.insert(&batch, Durability::Synced).unwrap_err();
                assert_eq!(refused.kind, ErrorKind::AlreadyExists);
                assert!(refused.job.is_some());
                assert_eq!(store.list(None, 0, 9)?, [named(1, "taken")]);
                for key in ["new 2", "new 3"] {
                    assert_eq!(store.find_key("图", key)?, None);
                }
            }
        }
        store.insert(&[], Durability::Synced)?;
        store.insert(&[named(2, "new 2"), named(3, "new 3")], Durability::Buffered)?;
        assert_eq!(store.list(None, 0, 9)?.len(), 3);
    }

    /// Waiting jobs can be pinned and noted as read too. A pin or a note of one job does not count for another.
    [Pin, RecordReads, Usage, RemoveRefused]
    fn pins_and_notes_are_of_their_job(store) {
        store.insert(&[waiting(1), waiting(2), waiting(3)], Durability::Buffered)?;
        let ids = [1, 2, 3].map(|n| waiting(n).id);
        store.pin(ids[1], crate::Pin::Keep)?;
        store.pin(ids[0], crate::Pin::Release)?;
        store.record_reads(&[(ids[0], at(u64::MAX >> 1)), (ids[2], at(0))])?;
        let seen = |store: &dyn Store| {
            ids.iter().map(|id| Ok((store.is_pinned(*id)?, store.last_read(*id)?))).collect::<Result<Vec<_>, Broken>>()
        };
        let expected = [(false, Some(at(u64::MAX >> 1))), (true, None), (false, Some(at(0)))];
        assert_eq!(seen(store)?, expected);
        for n in 1..=3 {
            store.replace(&waiting(n).apply(Event::Cancel, at(5))?, Durability::Buffered)?;
        }
        assert_eq!(seen(store)?, expected);
        let told: Vec<_> = store.usage(&ids)?.into_iter().map(|told| (told.pinned, told.last_read)).collect();
        assert_eq!(told, expected);
        assert_eq!(store.remove(ids[1]).unwrap_err().kind, ErrorKind::Invalid);
        assert!(store.remove(ids[0])? && store.remove(ids[2])?);
        assert_eq!(seen(store)?, [(false, None), (true, None), (false, None)]);
        assert_eq!(store.list(None, 0, 9)?.len(), 1);
        store.pin(ids[1], crate::Pin::Release)?;
        assert!(store.remove(ids[1])?);
    }

    /// From inside a read, the reader reads a record and other rows, notes the reading, and lists jobs.
    [ReadEach]
    fn a_reader_may_call_the_store(in fixture) {
        let store = fixture.open();
        let done = succeeded(&*store, 1, 40)?;
        store.insert(&[waiting(2)], Durability::Buffered)?;
        let reader = {
            let (store, done) = (Arc::clone(&store), done.clone());
            thread::spawn(move || {
                let mut runs = 0;
                store.read(key(&done, 0), 0..40, &mut |_| {
                    runs += 1;
                    assert_eq!(store.get(done.id)?.as_ref(), Some(&done));
                    assert_eq!(read(&*store, key(&done, 0), 5..25)?.len(), 20);
                    store.record_reads(&[(done.id, at(runs))])?;
                    store.list(None, 0, 9)?;
                    Ok(ControlFlow::Continue(()))
                })?;
                store.replace(&waiting(2).apply(Event::Cancel, at(9)).unwrap(), Durability::Buffered)?;
                Ok::<_, crate::StoreError>(runs)
            })
        };
        within(fixture.patience(), "a reader that calls the store comes to its end", || {
            Ok(reader.is_finished().then_some(()))
        })?;
        let runs = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        assert_eq!(runs, 4, "a run for each block");
        assert_eq!(store.last_read(done.id)?, Some(at(4)));
    }

    /// Lists and searches before the removal may fill caches. No call after it finds the job.
    [RemoveWhole]
    fn nothing_leads_to_a_removed_job(store) {
        let keyed = finish(store, &versioned(1, "v1"))?;
        let rows = succeeded(store, 2, 25)?;
        store.record_reads(&[(rows.id, at(9))])?;
        for job in [&keyed, &rows] {
            assert!(store.get(job.id)?.is_some() && store.result(job.id)?.is_some());
            assert!(store.remove(job.id)?);
            assert_eq!((store.get(job.id)?, store.result(job.id)?), (None, None));
            assert_eq!((store.checkpoint(job.id)?, store.last_read(job.id)?), (None, None));
            assert_eq!(blocks(store, key(job, 0))?, [0u64; 0]);
            assert_eq!(store.segment(key(job, 1)).unwrap_err().kind, ErrorKind::Fenced);
            let next = JobRecord { revision: job.revision + 1, ..job.clone() };
            assert_eq!(store.replace(&next, Durability::Buffered).unwrap_err().kind, ErrorKind::NotFound);
        }
        assert_eq!((store.find_key("图", "key 1")?, store.find_reusable(&keyed.spec)?), (None, None));
        assert_eq!((store.list(None, 0, 9)?, store.unfinished()?), (Vec::new(), Vec::new()));
    }

    /// An algorithm with the name of a filter is another kind than the filter, and an action than an algorithm.
    [RecordWhole]
    fn kinds_are_told_apart(store) {
        let kinds = [
            JobKind::VertexFilter, JobKind::EdgeFilter, JobKind::Algorithm("v".to_owned()),
            JobKind::Algorithm("vertex_filter".to_owned()), JobKind::Algorithm("edge_filter".to_owned()),
            JobKind::Algorithm("e".to_owned()), JobKind::Algorithm(" ".to_owned()),
            JobKind::Action("v".to_owned()), JobKind::Action("e".to_owned()),
            JobKind::Action("vertex_filter".to_owned()), JobKind::Action(" ".to_owned()),
        ];
        let records: Vec<_> = kinds
            .into_iter()
            .zip(1..)
            .map(|(kind, n)| JobRecord { spec: Arc::new(JobSpec::new(kind).with_graph("g")), ..waiting(n) })
            .collect();
        store.insert(&records, Durability::Buffered)?;
        are_whole(store, &records)?;
    }

    /// Another thread reads the record and the result all the time.
    [Threads, ResultWithRecord]
    fn nobody_sees_a_record_before_its_result(store) {
        for n in 1..=20 {
            let running = running(store, n)?;
            let result = list(vec![write(store, key(&running, 0), 0, 5, 2)?]);
            let done = running.apply(Event::Succeed(result.size()), at(7))?;
            let seen = thread::scope(|scope| {
                let looks = scope.spawn(|| {
                    while !store.get(running.id)?.is_some_and(|record| record.state.is_complete()) {
                        thread::yield_now();
                    }
                    Ok::<_, crate::StoreError>((store.result(running.id)?, read(store, key(&running, 0), 0..5)?))
                });
                let ended = store.complete(&[(&done, &result)], Durability::Buffered);
                if ended.is_err() {
                    // The job must end in any case, since the other thread waits for its end.
                    let _ = store.replace(&running.apply(Event::Fail(Failure::new(FailureKind::Store, "no")), at(8))?, Durability::Buffered);
                }
                ended?;
                Ok::<_, Broken>(looks.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?)
            })?;
            assert_eq!(seen, (Some(result), vec![0, 1, 2, 3, 4]));
        }
    }

    /// A reader at the same time sees all jobs of a batch or none.
    [Threads, InsertWhole, CompleteAll]
    fn a_batch_is_seen_whole(store) {
        const BATCH: u64 = 20;
        let result = JobResult::default();
        for round in 0..10 {
            let jobs: Vec<_> = (1..=BATCH).map(|n| waiting(round * 100 + n)).collect();
            let running = jobs.iter().map(|job| job.apply(Event::Start, at(5))).collect::<Result<Vec<_>, _>>()?;
            let done = running.iter().map(|job| job.apply(Event::Succeed(result.size()), at(6))).collect::<Result<Vec<_>, _>>()?;
            let counts = thread::scope(|scope| {
                let writes = scope.spawn(|| {
                    store.insert(&jobs, Durability::Buffered)?;
                    running.iter().try_for_each(|job| store.replace(job, Durability::Buffered))?;
                    store.complete(&done.iter().map(|end| (end, &result)).collect::<Vec<_>>(), Durability::Buffered)
                });
                let mut counts = BTreeSet::new();
                while !writes.is_finished() {
                    counts.insert(store.unfinished()?.len());
                }
                writes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                Ok::<_, Broken>(counts)
            })?;
            assert!(counts.iter().all(|count| [0, 20].contains(count)), "{counts:?}");
            assert_eq!(store.unfinished()?, []);
        }
    }

    /// A reader at the same time reads no rows of a job that has ended without a result.
    [Threads, EndDropsRows]
    fn an_end_and_its_rows_are_seen_together(store) {
        for n in 1..=10 {
            let running = running(store, n)?;
            write(store, key(&running, 0), 0, 5, 2)?;
            let failed = running.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(8))?;
            let found = thread::scope(|scope| {
                let looks = scope.spawn(|| {
                    while !store.get(running.id)?.is_some_and(|record| record.state.is_complete()) {
                        thread::yield_now();
                    }
                    blocks(store, key(&running, 0))
                });
                store.replace(&failed, Durability::Buffered)?;
                Ok::<_, Broken>(looks.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?)
            })?;
            assert_eq!(found, [0u64; 0]);
        }
    }
}

/// Checks that every call that reads records returns these records.
fn are_whole(store: &dyn Store, records: &[JobRecord]) -> Result<(), Broken> {
    let (all, unfinished) = (store.list(None, 0, 99)?, store.unfinished()?);
    for record in records {
        let found = store.get(record.id)?.ok_or("it is gone")?;
        let listed = all.iter().find(|listed| listed.id == record.id).ok_or("it is not listed")?;
        let open = unfinished.iter().find(|listed| listed.id == record.id);
        assert_eq!(open.is_none(), record.state.is_complete(), "{record:?}");
        for found in [&found, listed].into_iter().chain(open) {
            assert_eq!(found.spec.parameters().as_str(), record.spec.parameters().as_str());
            assert_eq!(found, record);
        }
    }
    Ok(())
}

/// The rows after the last of each stored block.
pub(super) fn blocks(store: &dyn ResultStore, key: SegmentKey) -> Result<Vec<u64>, crate::StoreError> {
    let mut ends = Vec::new();
    store.blocks(key, &mut |end, _| {
        ends.push(end);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(ends)
}
