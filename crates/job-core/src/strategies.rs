//! Any request, record, page and filter: strategies of [proptest](https://docs.rs/proptest) for the tests of hosts and
//! stores (feature `proptest`).
//!
//! All of it is valid: a request passes [`JobSpec::check`], and a record is one that a life can lead to. Most names of
//! graphs, kinds, owners and labels are of a few common ones, so that filters take some jobs and leave others.
//!
//! ```
//! use job_core::strategies;
//! use proptest::test_runner::TestRunner;
//!
//! let mut runner = TestRunner::default();
//! runner.run(&(strategies::records(), strategies::filters()), |(record, filter)| {
//!     assert!(record.spec.check().is_ok());
//!     assert!(filter.takes(&record) || !filter.takes_all());
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{collections::BTreeSet, time::Duration};

use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::{self, Index},
};
use serde_json::Value;

use crate::{
    Budget, Event, EventKind, Failure, FailureKind, JobClass, JobFilter, JobId, JobKind, JobOptions, JobRecord,
    JobSpec, JobState, Outcome, PageRequest, Parameters, ResultSize, Timestamp,
};

/// Every kind of failure.
const FAILURES: [FailureKind; 9] = [
    FailureKind::Handler,
    FailureKind::Panicked,
    FailureKind::Interrupted,
    FailureKind::Shutdown,
    FailureKind::Store,
    FailureKind::Deadline,
    FailureKind::RowBudget,
    FailureKind::ByteBudget,
    FailureKind::MemoryBudget,
];

/// Texts made of what separates, quotes, escapes and ends lines somewhere.
pub fn texts() -> impl Strategy<Value = String> {
    let hard = sample::select(
        "\"\",,\n\r\t#=+-@'\\;|{}[]: \u{0}\u{b}\u{c}\u{1c}\u{7f}\u{85}\u{a0}\u{2028}\u{2029}\u{202e}\u{feff}莎😀a"
            .chars()
            .collect::<Vec<_>>(),
    );
    vec(prop_oneof![4 => hard, 1 => any::<char>()], 0..12).prop_map(|characters| characters.into_iter().collect())
}

/// JSON values, nested to some depth.
pub fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has finite numbers", |number| number.is_finite()).prop_map(Value::from),
        texts().prop_map(Value::from),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((texts(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Names as a request may have them: one of `common` most of the time, else any of 1 to 256 bytes.
fn names(common: &'static [&'static str]) -> impl Strategy<Value = String> {
    let longest = || "長".repeat(JobSpec::MAX_NAME / 3);
    prop_oneof![
        8 => sample::select(common).prop_map(str::to_owned),
        2 => texts().prop_map(|text| if text.is_empty() { "a".to_owned() } else { text }),
        1 => Just(longest()),
    ]
}

fn graphs() -> impl Strategy<Value = String> {
    names(&["movies", "roads", "people"])
}

fn owners() -> impl Strategy<Value = String> {
    names(&["Sarah", "Sidney"])
}

fn labels() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(names(&["nightly", "team=search", "trial"]), 0..4)
}

/// Kinds of work.
pub fn kinds() -> impl Strategy<Value = JobKind> {
    prop_oneof![
        1 => Just(JobKind::VertexFilter),
        1 => Just(JobKind::EdgeFilter),
        // One that is spelled as another kind is a name of its own.
        3 => names(&["pagerank", "k_hop", "vertex_filter"]).prop_map(JobKind::Algorithm),
        2 => names(&["cypher", "pagerank"]).prop_map(JobKind::Action),
    ]
}

/// Parameters of a request.
pub fn parameters() -> impl Strategy<Value = Parameters> {
    let json = |value: &Value, pretty: bool| {
        let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        text.and_then(Parameters::from_text).unwrap_or_default()
    };
    let members = vec((texts(), values()), 0..5).prop_map(|members| members.into_iter().collect::<Value>());
    prop_oneof![
        2 => Just(Parameters::default()),
        6 => (members, any::<bool>()).prop_map(move |(value, pretty)| json(&value, pretty)),
        // As JSON of a request, `null` is no parameters.
        1 => values().prop_map(move |value| if value.is_null() { Parameters::default() } else { json(&value, false) }),
    ]
}

/// Times of some hundred years, the moment of the first computers among them.
fn times() -> impl Strategy<Value = Timestamp> {
    (0..10_000_000_000_000_000_u64).prop_map(Timestamp::from_micros)
}

fn budgets() -> impl Strategy<Value = Budget> {
    let limit = || option::weighted(0.2, prop_oneof![3 => 0..10_000_u64, 1 => any::<u64>()]);
    (limit(), limit(), limit()).prop_map(|(rows, bytes, memory)| Budget { rows, bytes, memory })
}

/// Options of a request.
pub fn options() -> impl Strategy<Value = JobOptions> {
    let place = (any::<i8>(), sample::select(&JobClass::ALL), option::weighted(0.2, times()), budgets());
    let marks = (
        option::weighted(0.2, names(&["key 1", "key 2"])),
        option::weighted(0.2, names(&["version 1", "version 2"])),
        option::weighted(0.4, owners()),
        labels(),
        option::weighted(0.2, Just("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned())),
        option::weighted(0.2, texts()),
        btree_set(names(&["alhpa", "k2"]), 0..3),
        option::weighted(0.2, ids()),
    );
    let run = (any::<bool>(), any::<bool>(), prop_oneof![4 => 1..5_u32, 1 => 1..=u32::MAX]);
    (place, marks, run).prop_map(|(place, marks, run)| {
        let (priority, class, deadline, budget) = place;
        let (idempotency_key, graph_version, owner, labels, trace_parent, raw_request, ignored, again_of) = marks;
        let (reuse, keep_rows, max_attempts) = run;
        JobOptions {
            priority,
            class,
            idempotency_key,
            graph_version,
            reuse,
            deadline,
            budget,
            keep_rows,
            max_attempts,
            owner,
            labels,
            trace_parent,
            raw_request,
            ignored,
            again_of,
        }
    })
}

/// Requests that an engine takes.
pub fn specs() -> impl Strategy<Value = JobSpec> {
    let options = prop_oneof![1 => Just(JobOptions::default()), 2 => options()];
    (kinds(), graphs(), parameters(), options).prop_map(|(kind, graph, parameters, options)| {
        JobSpec::new(kind).with_graph(graph).with_raw_parameters(parameters).with_options(options)
    })
}

/// Job ids.
pub fn ids() -> impl Strategy<Value = JobId> {
    (times(), any::<[u8; 10]>()).prop_map(|(time, entropy)| JobId::from_parts(time, entropy))
}

/// Failures of an attempt.
pub fn failures() -> impl Strategy<Value = Failure> {
    (sample::select(&FAILURES), texts()).prop_map(|(kind, message)| Failure::new(kind, message))
}

fn sizes() -> impl Strategy<Value = ResultSize> {
    prop_oneof![
        1 => Just(ResultSize::default()),
        3 => (0..1_000_000_u64, 0..100_u64).prop_map(|(rows, width)| ResultSize { rows, bytes: rows * width }),
    ]
}

/// The data that events have.
fn data() -> impl Strategy<Value = (Failure, ResultSize, Option<Timestamp>)> {
    (failures(), sizes(), option::of(times()))
}

fn event(kind: EventKind, (failure, size, due): (Failure, ResultSize, Option<Timestamp>)) -> Event {
    match kind {
        EventKind::Start => Event::Start,
        EventKind::Succeed => Event::Succeed(size),
        EventKind::Fail => Event::Fail(failure),
        EventKind::Cancel => Event::Cancel,
        EventKind::Stop => Event::Stop,
        EventKind::Requeue => Event::Requeue(failure, due),
        EventKind::Suspect => Event::Suspect(Failure::new(FailureKind::Interrupted, failure.message)),
        EventKind::Clear => Event::Clear,
        EventKind::Expire => Event::Expire(failure),
    }
}

/// Events, whether a job may have them or not.
pub fn events() -> impl Strategy<Value = Event> {
    (sample::select(&EventKind::ALL), data()).prop_map(|(kind, data)| event(kind, data))
}

/// Records that a life of some events leads to, in every state.
pub fn records() -> impl Strategy<Value = JobRecord> {
    let step = (any::<Index>(), data(), 0..60_000_000_u64);
    let rest = (0..=100_u8, option::weighted(0.3, sizes()), vec((200..=u8::MAX, vec(any::<u8>(), 0..20)), 0..3));
    (ids(), specs(), times(), vec(step, 0..9), rest).prop_map(
        |(id, spec, submitted, steps, (percent, kept, later))| {
            let mut now = submitted;
            let mut record = JobRecord::waiting(id, spec, submitted);
            record.later = later.into_iter().collect();
            for (choice, data, micros) in steps {
                now = now.after(Duration::from_micros(micros));
                let may: Vec<EventKind> =
                    EventKind::ALL.into_iter().filter(|kind| record.state.next(*kind).is_some()).collect();
                if may.is_empty() {
                    break;
                }
                if let Ok(next) = record.apply(event(*choice.get(&may), data), now) {
                    record = next;
                }
            }
            match (record.state, kept) {
                (JobState::Complete(Outcome::Cancelled), Some(size)) if record.attempt > 0 => {
                    record.stopped_at(percent).keeping(size)
                }
                _ => record,
            }
        },
    )
}

/// Page requests, the first and the last that there are among them.
pub fn pages() -> impl Strategy<Value = PageRequest> {
    let offset = prop_oneof![4 => 0..1_000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)];
    let limit = prop_oneof![4 => 1..200_u32, 1 => 1..=PageRequest::MAX_LIMIT, 1 => Just(PageRequest::MAX_LIMIT)];
    (offset, limit).prop_map(|(offset, limit)| PageRequest::new(offset, limit).unwrap_or_default())
}

/// Filters of lists.
pub fn filters() -> impl Strategy<Value = JobFilter> {
    let names = (option::weighted(0.4, graphs()), option::weighted(0.3, kinds()), option::weighted(0.3, owners()));
    let states = vec(sample::select(&JobState::ALL), 0..3);
    (names, btree_set(sample::select(&["nightly", "trial"]), 0..2), states).prop_map(
        |((graph, kind, owner), labels, states)| {
            let labels = labels.into_iter().map(str::to_owned).collect();
            let filter = JobFilter { graph, kind, owner, labels, ..JobFilter::default() };
            states.into_iter().fold(filter, JobFilter::state)
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

    use super::*;

    proptest! {
        #[test]
        fn every_request_is_one_that_an_engine_takes_and_survives_json(spec in specs()) {
            prop_assert_eq!(spec.check(), Ok(()));
            let text = serde_json::to_string(&spec).unwrap();
            prop_assert_eq!(serde_json::from_str::<JobSpec>(&text).unwrap(), spec);
        }

        #[test]
        fn every_record_is_of_a_life(record in records()) {
            prop_assert_eq!(record.finished_at.is_some(), record.state.is_complete());
            prop_assert_eq!(record.started_at.is_some(), record.attempt > 0);
            prop_assert!(u64::from(record.attempt) <= record.revision);
        }
    }

    /// Values of a strategy, the same in every run.
    fn some<S: Strategy>(strategy: &S) -> Vec<S::Value> {
        let mut runner = TestRunner::deterministic();
        (0..800).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
    }

    #[test]
    fn records_are_in_every_state_and_of_every_shape() {
        let records = some(&records());
        for state in JobState::ALL {
            assert!(records.iter().any(|record| record.state == state), "none is {state}");
        }
        for failure in FAILURES {
            let has = |record: &JobRecord| record.failure.as_ref().is_some_and(|found| found.kind == failure);
            assert!(records.iter().any(has), "none failed by {failure:?}");
        }
        assert!(
            records.iter().any(JobRecord::is_suspect) && records.iter().any(|record| record.progress.is_some())
        );
        assert!(
            records.iter().any(|record| record.attempt > 2)
                && records.iter().any(|record| !record.later.is_empty())
        );
        assert!(records.iter().any(|record| record.size.rows > 0 && !record.later.is_empty()));
    }

    #[test]
    fn filters_take_some_jobs_and_leave_others() {
        let pairs: Vec<bool> =
            some(&(records(), filters())).iter().map(|(record, filter)| filter.takes(record)).collect();
        let taken = pairs.iter().filter(|taken| **taken).count();
        assert!((40..760).contains(&taken), "{taken} of 800 are taken");
        let named = some(&filters()).into_iter().filter(|filter| !filter.takes_any_spec()).count();
        assert!(named > 200, "{named} of 800 name something");
    }

    #[test]
    fn pages_reach_both_ends() {
        let pages = some(&pages());
        assert!(pages.iter().any(|page| page.offset() == u64::MAX));
        assert!(pages.iter().any(|page| page.limit() == PageRequest::MAX_LIMIT && page.offset() < 1_000));
    }
}
