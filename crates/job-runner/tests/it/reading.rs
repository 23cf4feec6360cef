//! Pages, payloads, lists and values.

use job_runner::{Cursor, EngineError, JobContext, JobError, JobHandle, JobId, PageRequest, store::ErrorKind};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Gate, Rig, count, drain, job, nothing, numbers, page, rows};

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
        assert_eq!(shown.rows::<u64>().unwrap(), whole[start..end], "{offset} {limit}");
        assert_eq!((shown.offset(), shown.total(), shown.list()), (offset, 100_000, "numbers"));
        assert!(!shown.is_partial() && !shown.is_cut());
    }
}

#[test]
fn a_walk_with_cursors_gives_what_one_scan_gives() {
    let rig = rig();
    let handle = done(&rig, 12_345);
    let reader = rig.engine.reader();
    for limit in [1_000, 999, 12_345, 100_000] {
        let mut walked: Vec<u64> = Vec::new();
        let mut cursor = Some(Cursor::start(handle.id()));
        while let Some(at) = cursor {
            let text = at.to_string();
            let shown = reader.page_at(text.parse().unwrap(), limit).unwrap();
            walked.extend(shown.rows::<u64>().unwrap());
            cursor = shown.next();
        }
        assert_eq!(walked, rows(&handle, 0, 100_000));
    }
    assert!(matches!(reader.page_at(Cursor::start(handle.id()), 100_001), Err(EngineError::InvalidPage(_))));
}

#[test]
fn a_byte_budget_cuts_a_page_between_rows_and_the_walk_goes_on() {
    let rig = rig();
    let handle = done(&rig, 1_000);
    let (mut walked, mut cursor, mut cuts) = (Vec::new(), Some(Cursor::start(handle.id())), 0);
    while let Some(at) = cursor {
        let shown = rig.engine.reader().page_at(at, 300).unwrap().within(100).unwrap();
        let mut json = Vec::new();
        shown.write_to(&mut json).unwrap();
        assert!(json.len() <= 100 && !shown.is_empty());
        cuts += usize::from(shown.is_cut());
        walked.extend(shown.rows::<u64>().unwrap());
        cursor = shown.next();
    }
    assert_eq!(walked, rows(&handle, 0, 1_000));
    assert!(cuts > 10);
    // A row that is larger than the budget comes alone, so that a walk never stands still.
    assert_eq!(handle.page(page(500, 10)).unwrap().within(0).unwrap().rows::<u64>().unwrap(), [500]);
    // What fits is not cut.
    assert!(!handle.page(page(0, 10)).unwrap().within(19).unwrap().is_cut());
    assert!(handle.page(page(0, 10)).unwrap().within(18).unwrap().is_cut());
}

#[test]
fn rows_can_be_read_as_a_type_and_a_row_that_does_not_fit_is_named() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Person {
        name: String,
        age: u8,
    }
    let rig = Rig::new(|builder| {
        builder.vertex_filter(|ctx: &mut JobContext| {
            let mut rows = ctx.rows("vertices")?;
            rows.push(&json!({"name": "Zoë", "age": 24}))?;
            rows.push(&json!({"name": "Sid", "age": "unknown"}))
        })
    });
    let handle = rig.submit(job_runner::JobSpec::vertex_filter().graph("g"));
    drain(&rig.engine);
    let first: Vec<Person> = handle.page(page(0, 1)).unwrap().rows().unwrap();
    assert_eq!(first, [Person { name: "Zoë".to_owned(), age: 24 }]);
    let error = handle.page(page(0, 2)).unwrap().rows::<Person>().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("row 1 does not fit"), "{error}");
}

#[test]
fn chunks_give_the_same_bytes_as_one_write() {
    let rig = rig();
    let large = done(&rig, 100_000);
    let empty = done(&rig, 0);
    let bare = rig.submit(job("nothing"));
    drain(&rig.engine);
    let waiting = rig.submit(count(1));
    let windows = [(0, 100_000), (10, 7), (60_000, 40_000), (99_999, 1), (100_000, 1)];
    for handle in [&large, &empty, &bare, &waiting] {
        for (offset, limit) in windows {
            let status = handle.status(page(offset, limit)).unwrap();
            let chunks: Vec<Vec<u8>> = status.chunks().collect::<Result<_, _>>().unwrap();
            assert_eq!(String::from_utf8(chunks.concat()).unwrap(), written(handle, page(offset, limit)));
        }
    }
    assert!(large.status(page(0, 100_000)).unwrap().chunks().count() > 5, "a large page comes in pieces");
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
    assert_eq!(unknown.http_status(), 400);
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
            assert_eq!(shown.rows::<u64>().unwrap(), (0..seen).collect::<Vec<_>>());
            gate.open();
        }
        assert!(seen > 0, "full blocks can be read while the job runs");
    });
    let whole = handle.page(page(0, 100_000)).unwrap();
    assert!(!whole.is_partial());
    assert_eq!(whole.rows::<u64>().unwrap(), (0..100_000).collect::<Vec<_>>());
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
