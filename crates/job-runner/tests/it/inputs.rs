//! Input above a limit is an error that names the limit, and costs no more than input that just fits.

use job_runner::{
    EngineError, FailureKind, InvalidSpec, JobContext, JobError, JobSpec, OrNull, Outputs, PageRequest,
    Parameters, Partition, ScanOptions,
};

use crate::support::{Rig, job, nothing, page};

/// Why a job with this body failed.
fn refusal(body: impl Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static) -> String {
    let rig = Rig::new(|builder| builder.algorithm("hostile", body));
    let record = rig.finish(job("hostile"));
    assert_eq!(rig.stored(record.id), record);
    let failure = record.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Handler);
    failure.message
}

#[test]
fn a_row_without_end_fails_its_job() {
    let message = refusal(|ctx| {
        let text = "x".repeat(1 << 20);
        ctx.rows("rows")?.push(&vec![text.as_str(); 1 << 16]) // 64 GiB
    });
    assert_eq!(message, "the row has more than 16777216 bytes of JSON: that is the most a row may have");
}

/// A host that has rows as JSON already hands over bytes, right or wrong.
#[test]
fn bytes_that_are_rows_already_are_pushed_as_they_are_and_wrong_ones_spoil_themselves_alone() {
    const WRONG: [&[u8]; 6] = [b"]}", b"{\"a\"", b"\"", b"1,2", b"\xff\xfe", b"\0"];
    let rig = Rig::new(|builder| {
        builder
            .algorithm("writer", |ctx: &mut JobContext| {
                let mut rows = ctx.rows("rows")?;
                for n in 0..60_000_usize {
                    rows.push_json(format!(" {n}\n").as_bytes())?;
                    if n % 10_000 == 0 {
                        let wrong = WRONG[n / 10_000];
                        assert!(rows.push_json(wrong).is_err() && rows.push_json(b"").is_err());
                        rows.push_json_unchecked(wrong)?;
                    }
                }
                Ok(())
            })
            .algorithm("scan", |ctx: &mut JobContext| {
                let options = ScanOptions::default().partition_size(10);
                ctx.scan("rows", 0..100, options, |part: &mut Partition<'_>| {
                    part.ids().try_for_each(|id| {
                        assert!(part.push_json(b"{").is_err());
                        part.push_json(id.to_string().as_bytes())?;
                        part.push_json_unchecked(b"null")
                    })
                })
            })
    });
    let handle = rig.submit(job("writer"));
    rig.engine.driver().run_until_idle();
    assert_eq!(handle.record().size.rows, 60_006);
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for n in 0..60_000 {
        expected.push(n.to_string().into_bytes());
        if n % 10_000 == 0 {
            expected.push(WRONG[n / 10_000].to_vec());
        }
    }
    let mut found = Vec::new();
    let each = |row: &[u8]| {
        found.push(row.to_vec());
        Ok::<_, job_runner::StoreError>(std::ops::ControlFlow::Continue(()))
    };
    handle.page(page(0, 100_000)).unwrap().for_each(each).unwrap();
    assert!(found == expected);
    // Pages beside a wrong row are JSON as ever.
    assert_eq!(crate::support::rows(&handle, 2, 3), [1, 2, 3]);
    let mut answer = Vec::new();
    handle.status(page(10_003, 9_000)).unwrap().write_to(&mut answer).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());

    let scan = rig.submit(job("scan"));
    rig.engine.driver().run_until_idle();
    let mut rows = Vec::new();
    scan.page(page(0, 4)).unwrap().write_to(&mut rows).unwrap();
    assert_eq!((scan.record().size.rows, rows), (200, b"0,null,1,null".to_vec()));
}

#[test]
fn outputs_without_number_without_end_and_with_endless_names_fail_their_job() {
    let many = refusal(|ctx| (0..).try_for_each(|n| Ok(ctx.set_output(&format!("output {n}"), &n)?)));
    assert_eq!(many, "the result has 1000 outputs, and no more are allowed: put what are many into the list");
    let long = refusal(|ctx| {
        let text = "x".repeat(1 << 20);
        Ok(ctx.set_output("long", &vec![text.as_str(); 1 << 16])?)
    });
    assert!(long.starts_with("with output \"long\" the outputs have more than 1048576 bytes"), "{long}");
    let together =
        refusal(|ctx| (0..).try_for_each(|n| Ok(ctx.set_output(&format!("{n}"), &"x".repeat(10_000))?)));
    assert!(together.starts_with("with output \"104\" the outputs have more than"), "{together}");
    let name = || "n".repeat(Outputs::MAX_NAME + 1);
    let expected = "the name of an output has 257 bytes: at most 256 are allowed";
    assert_eq!(refusal(move |ctx| Ok(ctx.set_output(&name(), &1)?)), expected);
    assert_eq!(refusal(move |ctx| ctx.rows(&name()).map(drop)), expected);
    let second = refusal(move |ctx| {
        ctx.rows("rows")?.push(&1)?;
        ctx.rows(&name()).map(drop)
    });
    assert_eq!(second, expected);
}

#[test]
fn a_scan_in_too_many_partitions_fails_its_job() {
    for ids in [1 << 23, u64::MAX] {
        let message = refusal(move |ctx| {
            ctx.scan("rows", 0..ids, ScanOptions::default().partition_size(1), |_: &mut Partition<'_>| Ok(()))
        });
        assert!(message.contains("too many partitions") || message.contains("4194304 segments"), "{message}");
    }
}

#[test]
fn a_failure_without_end_makes_no_long_record() {
    let rig = Rig::new(|builder| {
        builder
            .algorithm("says", |_: &mut JobContext| Err(JobError::failed("萎".repeat(1 << 22))))
            .algorithm("panics", |_: &mut JobContext| panic!("{}", "萎".repeat(1 << 22)))
            .algorithm("again", |_: &mut JobContext| Err(JobError::transient("萎".repeat(1 << 22))))
    });
    for name in ["says", "panics", "again"] {
        let handle = rig.submit(job(name));
        rig.engine.driver().run_until_idle();
        let message = handle.record().failure.unwrap().message;
        assert!(message.len() <= 4_096, "{name}: {} bytes", message.len());
        assert_eq!(rig.stored(handle.id()), handle.record());
        let mut answer = Vec::new();
        handle.status(PageRequest::default()).unwrap().write_to(&mut answer).unwrap();
        assert!(answer.len() < 5_000, "{}", answer.len());
    }
}

#[test]
fn hostile_requests_are_refused_before_anything_is_stored() {
    let rig = Rig::new(|builder| builder);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let refused = |spec: JobSpec| match rig.engine.submit(spec) {
        Err(EngineError::InvalidSpec(invalid)) => invalid,
        other => panic!("{other:?}"),
    };
    let spec = || JobSpec::vertex_filter().with_graph("g");
    assert!(matches!(
        refused(spec().with_raw_parameters(Parameters::from_text(deep).unwrap())),
        InvalidSpec::TooDeep { field: "parameters", max: 100 }
    ));
    for (field, hostile) in [
        ("parameters", spec().with_parameters(&"x".repeat(1 << 26)).unwrap()),
        ("graph name", JobSpec::vertex_filter().with_graph("g".repeat(1 << 26))),
        ("algorithm name", JobSpec::algorithm("a".repeat(1 << 26)).with_graph("g")),
        ("idempotency key", spec().idempotency_key("k".repeat(1 << 26))),
        ("graph version", spec().graph_version("v".repeat(1 << 26))),
    ] {
        let invalid = refused(hostile);
        assert!(matches!(invalid, InvalidSpec::TooLong { field: found, .. } if found == field), "{invalid}");
        assert!(invalid.to_string().len() < 100);
    }
    assert!(rig.engine.reader().list(PageRequest::default()).unwrap().is_empty());
}

/// Such numbers must not be stored as null in a job that succeeds.
#[test]
fn numbers_that_json_does_not_have_are_refused_with_their_row_and_place() {
    #[derive(serde::Serialize)]
    struct Row {
        id: u32,
        rank: f64,
        or_null: OrNull<f64>,
    }
    let rig = Rig::new(|builder| {
        builder
            .algorithm("row", |ctx: &mut JobContext| {
                let rank = |id, rank| Row { id, rank, or_null: OrNull(f64::NAN) };
                let mut rows = ctx.rows("ranks")?;
                rows.push(&rank(0, 0.5))?;
                rows.push(&rank(1, f64::NAN))
            })
            .algorithm("output", |ctx: &mut JobContext| Ok(ctx.set_output("modularity", &f64::INFINITY)?))
    });
    let message = |name| rig.finish(job(name)).failure.unwrap().message;
    let why = "which JSON does not have";
    let row = message("row");
    assert!(row.starts_with(&format!("row 1 of its writer cannot be stored: rank is NaN, {why}")), "{row}");
    let output = message("output");
    assert!(output.starts_with(&format!("output \"modularity\" is not JSON: it is inf, {why}")), "{output}");
}

/// Such parameters must not be acknowledged and then fail when their handler reads them.
#[test]
fn parameters_that_no_handler_could_read_are_not_acknowledged() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    for text in [r#"{"name":"\ud800"}"#, r#"{"alpha":1e400}"#] {
        let parameters = Parameters::from_text(text.to_owned()).unwrap();
        let refused = rig.engine.submit(job("a").with_raw_parameters(parameters)).unwrap_err();
        assert!(refused.to_string().starts_with("parameters cannot be read back: "), "{refused}");
    }
    assert!(rig.engine.reader().list(page(0, 10)).unwrap().is_empty());
}
