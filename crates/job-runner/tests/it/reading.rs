//! Pages, payloads, lists and values.

use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use job_runner::{
    EngineError, JobContext, JobError, JobHandle, JobId, ManualClock, PageRequest, StoreError,
    store::{MemoryStore, SegmentKey, Store},
    wire::Dialect,
};
use serde_json::Value;

use crate::support::{Gate, Rig, count, drain, job, nothing, numbers, page, read, rows};

fn rig() -> Rig {
    Rig::new(|builder| builder.algorithm("numbers", numbers).algorithm("nothing", nothing))
}

fn done(rig: &Rig, n: u64) -> JobHandle {
    let handle = rig.submit(count(n));
    drain(&rig.engine);
    handle
}

fn written(handle: &JobHandle, page: PageRequest) -> String {
    let mut out = Vec::new();
    handle.status(page).unwrap().write_to(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn pages_of_any_offset_and_limit_are_windows_of_the_list() {
    let rig = rig();
    let handle = done(&rig, 100_000);
    let whole: Vec<u64> = (0..100_000).collect();
    assert_eq!(rows(&handle, 0, 100_000), whole);
    for (offset, limit) in
        [(0u64, 1u32), (1, 1), (99_999, 10), (23_456, 10_000), (100_000, 5), (1 << 60, 5), (50, 0)]
    {
        let shown = handle.page(page(offset, limit.max(1))).unwrap();
        let start = usize::try_from(offset.min(100_000)).unwrap();
        let end = (start + limit.max(1) as usize).min(100_000);
        assert_eq!(read(&shown), whole[start..end], "{offset} {limit}");
        assert_eq!((shown.offset(), shown.total(), shown.list()), (offset, 100_000, "numbers"));
        assert!(!shown.is_partial());
    }
}

#[test]
fn a_whole_result_is_read_in_one_walk_from_any_row() {
    let rig = rig();
    // More rows than a page may have, and than the engine asks a store for at a time.
    let handle = done(&rig, 250_000);
    let reader = rig.engine.reader();
    for first in [0, 1, 99_999, 100_000, 200_001, 249_999] {
        let rest = reader.rows(handle.id(), first).unwrap();
        assert_eq!((rest.offset(), rest.len(), rest.total()), (first, 250_000 - first, 250_000));
        assert_eq!(read(&rest), (first..250_000).collect::<Vec<_>>());
    }
    assert!(reader.rows(handle.id(), 250_000).unwrap().is_empty());
    assert!(reader.rows(handle.id(), u64::MAX).unwrap().is_empty());
    let mut json = Vec::new();
    reader.rows(handle.id(), 50_000).unwrap().write_to(&mut json).unwrap();
    let expected: Vec<String> = (50_000..250_000).map(|n: u64| n.to_string()).collect();
    assert!(String::from_utf8(json).unwrap() == expected.join(","));
    assert_eq!(reader.rows(JobId::MIN, 0).unwrap_err(), EngineError::UnknownJob(JobId::MIN));
}

#[test]
fn a_walk_ends_where_its_reader_wants_and_with_its_error() {
    #[derive(Debug)]
    enum Ended {
        Store,
        At(u64),
    }
    impl From<StoreError> for Ended {
        fn from(_: StoreError) -> Self {
            Self::Store
        }
    }
    let rig = rig();
    let handle = done(&rig, 50_000);
    let rows = rig.engine.reader().rows(handle.id(), 0).unwrap();
    for end in [0, 1, 12_345, 49_999] {
        let mut seen = 0;
        rows.for_each(|_| {
            seen += 1;
            Ok::<_, StoreError>(if seen > end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
        assert_eq!(seen, end + 1);
        let mut seen = 0;
        let ended = rows.for_each(|_| {
            seen += 1;
            if seen > end { Err(Ended::At(seen)) } else { Ok(ControlFlow::Continue(())) }
        });
        assert!(matches!(ended, Err(Ended::At(at)) if at == end + 1), "{ended:?}");
    }
    assert!(rig.engine.remove(handle.id()).unwrap());
    let gone = rows.for_each(|_| Ok::<_, Ended>(ControlFlow::Continue(())));
    assert!(matches!(gone, Err(Ended::Store)), "{gone:?}");
}

#[test]
fn pieces_are_the_same_bytes_as_one_write_in_every_dialect() {
    let rig = rig();
    let large = done(&rig, 100_000);
    let empty = done(&rig, 0);
    let bare = rig.submit(job("nothing"));
    drain(&rig.engine);
    let waiting = rig.submit(count(1));
    let windows = [(0, 100_000), (10, 7), (60_000, 40_000), (99_999, 1), (100_000, 1)];
    for dialect in Dialect::ALL {
        for id in [large.id(), empty.id(), bare.id(), waiting.id(), JobId::MIN] {
            for (offset, limit) in windows {
                let status = rig.engine.reader().status_in(dialect, id, page(offset, limit)).unwrap();
                let mut written = Vec::new();
                status.write_to(&mut written).unwrap();
                let pieces: Vec<_> = status.pieces().collect::<Result<_, _>>().unwrap();
                assert!(pieces.concat() == written, "{} {id} {offset} {limit}", dialect.name());
            }
        }
    }
    let status = large.status(page(0, 100_000)).unwrap();
    assert!(status.pieces().count() > 5, "a large page comes in pieces");
}

#[test]
fn the_payload_of_each_state_is_the_documents() {
    let (gate, pass) = Gate::new();
    let rig = Rig::new(|builder| {
        builder
            .algorithm("gated", move |ctx: &mut JobContext| {
                pass(ctx);
                ctx.set_output("runtime", &0.5)?;
                Ok(())
            })
            .algorithm("bad", |_: &mut JobContext| Err(JobError::failed("no memory")))
    });
    let first = PageRequest::default();
    let handle = rig.submit(job("gated"));
    assert_eq!(written(&handle, first), r#"{"status":"waiting"}"#);
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        assert_eq!(written(&handle, first), r#"{"status":"running"}"#);
        gate.open();
    });
    assert_eq!(written(&handle, first), r#"{"data":{"outputs":{"runtime":0.5}},"status":"complete"}"#);
    let bad = rig.submit(job("bad"));
    drain(&rig.engine);
    let error: Value = serde_json::from_str(&written(&bad, first)).unwrap();
    assert_eq!(error["errorMessage"], "Running algorithm [bad] error: no memory!");
    let unknown = rig.engine.reader().status(JobId::MIN, first).unwrap();
    assert_eq!(unknown.payload().http_status(), 400);
    assert!(unknown.page().is_none());
}

#[test]
fn an_empty_list_is_shown_and_no_list_is_not() {
    let rig = rig();
    let empty = done(&rig, 0);
    assert_eq!(
        written(&empty, page(0, 10)),
        concat!(
            r#"{"data":{"outputs":{"data_return_size":0,"data_offset":0,"data_total_size":0,"numbers":[]}},"#,
            r#""status":"complete"}"#
        )
    );
    let bare = rig.submit(job("nothing"));
    drain(&rig.engine);
    assert_eq!(written(&bare, page(0, 10)), r#"{"data":{"outputs":{}},"status":"complete"}"#);
    assert_eq!(bare.page(page(0, 10)).unwrap().list(), "");
}

#[test]
fn values_and_the_list_share_one_set_of_names() {
    let rig = Rig::new(|builder| {
        builder
            .algorithm("second list", |ctx: &mut JobContext| {
                ctx.rows("vertices")?.push(&1)?;
                ctx.rows("edges").map(drop)
            })
            .algorithm("value after list", |ctx: &mut JobContext| {
                ctx.rows("vertices")?.push(&1)?;
                Ok(ctx.set_output("vertices", &1)?)
            })
            .algorithm("list after value", |ctx: &mut JobContext| {
                ctx.set_output("vertices", &1)?;
                ctx.rows("vertices").map(drop)
            })
            .algorithm("value twice", |ctx: &mut JobContext| {
                ctx.set_output("k", &1)?;
                Ok(ctx.set_output("k", &2)?)
            })
            .algorithm("reserved", |ctx: &mut JobContext| Ok(ctx.set_output("data_offset", &2)?))
            .algorithm("no json", |ctx: &mut JobContext| {
                ctx.rows("vertices")?.push(&std::collections::BTreeMap::from([([1u8], 1)]))
            })
    });
    for name in ["second list", "value after list", "list after value", "value twice", "reserved", "no json"] {
        let record = rig.finish(job(name));
        assert!(record.failure.is_some(), "{name}: {record:?}");
    }
}

#[test]
fn writers_of_one_list_follow_each_other_in_the_order_they_were_opened() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            let mut first = ctx.rows("n")?;
            let mut second = ctx.rows("n")?;
            for n in 0..3 {
                second.push(&(n + 10))?;
                first.push(&n)?;
            }
            drop(first);
            let mut third = ctx.rows("n")?;
            third.push(&20)?;
            second.push(&13)
        })
    });
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert_eq!(rows(&handle, 0, 100), [0, 1, 2, 10, 11, 12, 13, 20]);
}

#[test]
fn threads_of_a_body_may_write_at_once() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            let ctx = &*ctx;
            let mut writers = (0..4).map(|_| ctx.rows("n")).collect::<Result<Vec<_>, _>>()?;
            std::thread::scope(|scope| {
                let parts: Vec<_> = writers
                    .iter_mut()
                    .zip(0u64..)
                    .map(|(rows, part)| {
                        scope.spawn(move || (0..20_000).try_for_each(|n| rows.push(&(part * 20_000 + n))))
                    })
                    .collect();
                parts.into_iter().try_for_each(|part| part.join().unwrap())
            })
        })
    });
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert_eq!(rows(&handle, 0, 100_000), (0..80_000).collect::<Vec<u64>>());
}

#[test]
fn pages_of_a_running_job_are_partial_and_their_offsets_stay() {
    let (gate, pass) = Gate::new();
    let rig = Rig::new(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            let mut rows = ctx.rows("n")?;
            for n in 0..100_000u64 {
                if n % 40_000 == 0 {
                    pass(ctx);
                }
                rows.push(&n)?;
            }
            Ok(())
        })
    });
    let handle = rig.submit(job("a"));
    assert!(handle.page(page(0, 10)).unwrap().is_partial());
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        let mut seen = 0;
        for _ in 0..3 {
            gate.entered();
            let shown = handle.page(page(0, 100_000)).unwrap();
            assert!(shown.is_partial());
            assert!(shown.total() >= seen);
            seen = shown.total();
            assert_eq!(read(&shown), (0..seen).collect::<Vec<_>>());
            gate.open();
        }
        assert!(seen > 0, "full blocks can be read while the job runs");
    });
    let whole = handle.page(page(0, 100_000)).unwrap();
    assert!(!whole.is_partial());
    assert_eq!(read(&whole), (0..100_000).collect::<Vec<_>>());
}

#[test]
fn jobs_are_listed_newest_first_and_pages_of_the_list_can_follow_ids() {
    let rig = rig();
    let ids: Vec<JobId> = (0..10).map(|_| rig.submit(job("nothing")).id()).collect();
    drain(&rig.engine);
    let reader = rig.engine.reader();
    let newest_first: Vec<JobId> = ids.iter().rev().copied().collect();
    let listed = |records: Vec<job_runner::JobRecord>| records.iter().map(|record| record.id).collect::<Vec<_>>();
    assert_eq!(listed(reader.list(page(0, 100)).unwrap()), newest_first);
    assert_eq!(listed(reader.list(page(3, 4)).unwrap()), newest_first[3..7]);
    let before = newest_first[4];
    rig.queue(job("nothing")); // the list grows meanwhile
    assert_eq!(listed(reader.list_before(before, 3).unwrap()), newest_first[5..8]);
}

/// A filter that was stopped midway with 2.6 MB showed none of its rows.
#[test]
fn rows_of_a_slow_job_are_seen_after_a_second_however_few_they_are() {
    for (name, store, _directory) in crate::crashes::stores() {
        let clock = Arc::new(ManualClock::default());
        let (own, seen) = (Arc::clone(&clock), Arc::new(OnceLock::<JobHandle>::new()));
        let look = Arc::clone(&seen);
        let rig = Rig::on(store, |builder| {
            let body = move |ctx: &mut JobContext| {
                let handle = look.get().ok_or_else(|| JobError::failed("the test has no handle"))?;
                let seen = || rows(handle, 0, 1_000);
                let mut numbers = ctx.rows("numbers")?;
                (0..10_u64).try_for_each(|n| numbers.push(&n))?;
                own.advance(Duration::from_millis(1_100));
                // One of the next pushes looks at the clock.
                (10..100_u64).try_for_each(|n| numbers.push(&n))?;
                assert!(seen().len() > 10 && (0..).zip(seen()).all(|(n, row)| n == row), "{name}");
                // Without another row a check does it.
                let before = seen().len();
                numbers.check_stopped()?;
                assert_eq!(seen().len(), before, "not before a second has passed");
                own.advance(Duration::from_secs(2));
                numbers.check_stopped()?;
                assert_eq!(seen().len(), 100, "{name}");
                Ok(())
            };
            builder.clock(Arc::<ManualClock>::clone(&clock)).algorithm("slow", body)
        });
        let handle = rig.submit(job("slow"));
        assert!(seen.set(handle.clone()).is_ok());
        rig.engine.driver().run_one();
        assert_eq!(handle.record().failure, None, "{name}");
        assert_eq!(rows(&handle, 0, 1_000), (0..100).collect::<Vec<_>>());
    }
}

/// Else a job of a day would have as many blocks as seconds.
#[test]
fn a_slow_job_of_a_day_has_a_bounded_number_of_blocks() {
    let clock = Arc::new(ManualClock::default());
    let own = Arc::clone(&clock);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let rig = Rig::on(Arc::clone(&store), |builder| {
        let body = move |ctx: &mut JobContext| {
            let mut numbers = ctx.rows("numbers")?;
            (0..24 * 3_600 / 2).try_for_each(|n| {
                own.advance(Duration::from_secs(2));
                numbers.push(&n)
            })
        };
        builder.clock(Arc::<ManualClock>::clone(&clock)).algorithm("day", body)
    });
    let record = rig.finish(job("day"));
    assert_eq!(record.size.rows, 43_200);
    let mut blocks = 0;
    let key = SegmentKey { job: record.id, attempt: 1, number: 0 };
    store
        .blocks(key, &mut |_, _| {
            blocks += 1;
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert!((60..600).contains(&blocks), "{blocks} blocks");
}
