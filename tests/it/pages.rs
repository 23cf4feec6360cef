//! A page is the slice of the full list, for rows of every kind and however they were written.

use std::{ops::ControlFlow, sync::Arc};

use job_runner::{
    Engine, JobContext, JobError, JobHandle, JobReader, JobSpec, PageRequest, StoreError, store::Store, strategies,
};
use job_tests::script;
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, value::RawValue};

use crate::support::{backends, body, setting};

/// The rows of one writer. Runs of rows that are longer than a block of the engine make several blocks.
type Writers = Vec<Vec<String>>;

fn json() -> impl Strategy<Value = String> {
    // Longer than half a block, so that one row, two rows and many rows fill one.
    let long = (60_000usize..140_000).prop_map(|length| Value::from("长".repeat(length / 3)));
    prop_oneof![6 => strategies::values(), 1 => long].prop_map(|value| value.to_string())
}

fn short() -> impl Strategy<Value = String> {
    ".{0,30}".prop_map(|text| Value::from(text).to_string())
}

fn writers() -> impl Strategy<Value = Writers> {
    prop::collection::vec(
        prop_oneof![
            3 => prop::collection::vec(json(), 0..12),
            2 => prop::collection::vec(short(), 0..300),
            1 => Just(Vec::new()),
        ],
        0..5,
    )
}

/// Runs one job that writes `writers`, each through a writer of its own.
fn finished(store: Arc<dyn Store>, writers: &Writers) -> (Engine, JobHandle) {
    let given = writers.clone();
    let engine = Engine::builder(store)
        .manual()
        .vertex_filter(move |ctx: &mut JobContext| {
            if given.is_empty() {
                drop(ctx.rows("vertices")?);
            }
            // All are open at once and filled in turns. Segments keep the order in which they were opened.
            let mut open: Vec<_> = given.iter().map(|_| ctx.rows("vertices")).collect::<Result<_, _>>()?;
            let longest = given.iter().map(Vec::len).max().unwrap_or(0);
            for at in 0..longest {
                for (writer, rows) in open.iter_mut().zip(&given) {
                    if let Some(row) = rows.get(at) {
                        writer.push(&RawValue::from_string(row.clone()).map_err(JobError::from)?)?;
                    }
                }
            }
            Ok(())
        })
        .open()
        .unwrap();
    let handle = engine.submit(JobSpec::vertex_filter().with_graph("g")).unwrap();
    assert!(engine.driver().run_one().is_some());
    (engine, handle)
}

/// The rows of the answer, as text, and the answer itself.
fn rows_of(body: &[u8]) -> (Vec<String>, Value) {
    #[derive(serde::Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        data: Data<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        outputs: Outputs<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Outputs<'a> {
        #[serde(borrow)]
        vertices: Vec<&'a RawValue>,
    }
    let answer: Answer<'_> = serde_json::from_slice(body).unwrap();
    let rows = answer.data.outputs.vertices.iter().map(|row| row.get().to_owned()).collect();
    (rows, serde_json::from_slice(body).unwrap())
}

fn check_page(handle: &JobHandle, whole: &[String], offset: u64, limit: u32) {
    let total = whole.len() as u64;
    let request = PageRequest::new(offset, limit).unwrap();
    let (rows, answer) = rows_of(&body(handle.status(request).unwrap()));
    let expected: Vec<String> = whole
        .iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap())
        .cloned()
        .collect();
    assert!(rows == expected, "offset {offset}, limit {limit}: {} rows instead of {}", rows.len(), expected.len());
    let outputs = &answer["data"]["outputs"];
    assert_eq!(outputs["data_return_size"], u64::from(limit).min(total.saturating_sub(offset)));
    assert_eq!(outputs["data_offset"], offset);
    assert_eq!(outputs["data_total_size"], total);
}

/// A walk in pages of at most `limit` rows, each cut at `budget` bytes but never at its first row. A host with bounded
/// answers does so.
fn walk(reader: &JobReader, handle: &JobHandle, limit: u32, budget: usize) -> Vec<String> {
    let mut walked = Vec::new();
    loop {
        let page = reader.page(handle.id(), PageRequest::new(walked.len() as u64, limit).unwrap()).unwrap();
        if page.is_empty() {
            return walked;
        }
        let (start, mut bytes) = (walked.len(), 0);
        page.for_each(|row| {
            bytes += row.len();
            if walked.len() > start && bytes > budget {
                return Ok::<_, StoreError>(ControlFlow::Break(()));
            }
            walked.push(String::from_utf8(row.to_vec()).unwrap());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    }
}

fn check(store: Arc<dyn Store>, writers: &Writers, windows: &[(u64, u32)], step: u32, budget: usize) {
    let (engine, handle) = finished(store, writers);
    let whole = writers.concat();
    assert_eq!(handle.record().size.rows, whole.len() as u64);
    let bytes: usize = whole.iter().map(String::len).sum();
    assert!(handle.record().size.bytes >= bytes as u64);
    check_page(&handle, &whole, 0, PageRequest::MAX_LIMIT);
    for &(offset, limit) in windows {
        check_page(&handle, &whole, offset, limit);
    }
    assert!(
        walk(&engine.reader(), &handle, step, usize::MAX) == whole,
        "a walk in pages of {step} is not the whole"
    );
    assert!(walk(&engine.reader(), &handle, step, budget) == whole, "a walk in {budget} bytes loses rows");
    assert!(script::rows(&engine.reader().rows(handle.id(), 0).unwrap()).unwrap() == whole, "one walk loses rows");
}

fn windows() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let offset = prop_oneof![8 => 0u64..400, 1 => any::<u64>(), 1 => Just(u64::MAX)];
    let limit = prop_oneof![8 => 1u32..200, 1 => Just(PageRequest::MAX_LIMIT)];
    prop::collection::vec((offset, limit), 1..8)
}

#[test]
fn any_page_of_any_rows_is_the_slice_of_the_whole() {
    let config = ProptestConfig {
        cases: setting("PAGE_CASES", 48),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let strategy = (writers(), windows(), 1u32..120, 1usize..200_000);
    TestRunner::new(config)
        .run(&strategy, |(writers, windows, step, budget)| {
            for (_, store, _directory) in backends() {
                check(store, &writers, &windows, step, budget);
            }
            Ok(())
        })
        .unwrap();
}

/// The same holds for a result of 100,001 rows, one more than a page may have, whose pages cross many blocks.
#[test]
fn a_result_longer_than_a_page_is_read_in_pages() {
    for (_, store, _directory) in backends() {
        let rows: Vec<String> = (0..100_001).map(|n| format!("{{\"{n}\":{}}}", f64::from(n) / 7.0)).collect();
        let (front, back) = rows.split_at(40_000);
        let (engine, handle) = finished(store, &vec![front.to_vec(), back.to_vec()]);
        for (offset, limit) in [(0, 100_000), (100_000, 100_000), (39_999, 2), (1, 100_000), (99_999, 5)] {
            check_page(&handle, &rows, offset, limit);
        }
        assert!(walk(&engine.reader(), &handle, 7_777, 1 << 20) == rows);
    }
}
