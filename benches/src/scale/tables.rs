//! The model's figures of clusters, as Markdown.

use std::{fmt::Write as _, time::Duration};

use super::{Costs, Outcome, Shape, Statement, simulate};
use crate::{measure::Series, scenarios::Bench};

/// A set of options of engines.
struct Variant {
    name: &'static str,
    max_prefetch: usize,
}

const VARIANTS: [Variant; 2] =
    [Variant { name: "as shipped", max_prefetch: 256 }, Variant { name: "`max_prefetch(0)`", max_prefetch: 0 }];

/// The bounds of a tolerable load: the share of time in which cores are busy, and the wait of the slowest
/// hundredth of the jobs.
const BUSY: f64 = 0.6;
const WAIT: f64 = 0.1;

pub(super) fn markdown(bench: &Bench, costs: &Costs) -> String {
    let mut text = String::from("# A model of clusters\n\n");
    text.push_str(concat!(
        "Made by `cargo xtask bench --only scale` from the costs in `benches/src/scale/costs.rs`; seeded, so the same ",
        "again. [docs/scale.md](../../docs/scale.md) says what follows from it.\n\n## What a statement costs\n\n",
    ));
    statements(&mut text, costs);
    text.push_str(
        "\n## One partition of 16 cores\n\nHalf of all workers (8 an engine) are busy; 3 status queries a job; ",
    );
    text.push_str("each end pays for the removal of an old job. Times in ms, p50 / p99.\n");
    for variant in &VARIANTS {
        partition(&mut text, bench, costs, variant);
    }
    text.push_str("\n## Where one partition is full\n\nThe most jobs a second with cores busy for at most 60 % ");
    text.push_str("of the time and a p99 from submission to start of at most 100 ms.\n\n");
    capacity(&mut text, bench, costs);
    text.push_str("\n## How many partitions\n\nAs few as hold the busiest hour, taken as 2.5 times the average, by the same two limits.\n\n");
    partitions(&mut text, bench, costs);
    text
}

fn statements(text: &mut String, costs: &Costs) {
    text.push_str(
        "| statement | server, µs | each more | engine, µs | each more | log, bytes | each more | p99 / p50 |\n",
    );
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for statement in Statement::ALL {
        let cost = costs.of(statement);
        let line = |line: super::Line| format!("{:.0} | {:.1}", line.fixed, line.each);
        let (server, engine, wal) = (line(cost.server), line(cost.engine), line(cost.wal));
        let _ = writeln!(text, "| {statement:?} | {server} | {engine} | {wal} | {:.1} |", cost.tail);
    }
    let Costs { flush, background, kept, .. } = costs;
    let _ = writeln!(
        text,
        "\nA flush of the log: {flush:.0} µs. The server's own processes: {:.0} % on top. A finished job: {kept:.0} bytes.",
        background * 100.0
    );
}

fn of(engines: usize, rate: f64, variant: &Variant) -> Shape {
    let workers = Shape::default().workers;
    let body = Duration::from_secs_f64((engines * workers) as f64 * 0.5 / rate);
    Shape {
        engines,
        rate,
        body,
        queries: 3.0,
        removes: true,
        max_prefetch: variant.max_prefetch,
        time: Duration::from_secs(2),
        ..Shape::default()
    }
}

fn partition(text: &mut String, bench: &Bench, costs: &Costs, variant: &Variant) {
    let _ = writeln!(text, "\n### {}\n", variant.name);
    text.push_str("| engines | jobs/s | ended/s | cores | log | statements/s | claims/s in vain | submit | start | status |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    let rates: &[f64] = if bench.quick { &[1e3, 1e4] } else { &[1e3, 5e3, 1e4, 2e4] };
    for engines in [10, 40, 80] {
        for &rate in rates {
            let shape = of(engines, rate, variant);
            let outcome = simulate(&shape, costs);
            let second = |count: u64| count as f64 / shape.time.as_secs_f64();
            let in_vain = outcome.statements.get(Statement::Ask as usize).copied().unwrap_or_default();
            let _ = writeln!(
                text,
                "| {engines} | {rate} | {:.0} | {:.0} % | {:.0} % | {:.0} | {:.0} | {} | {} | {} |",
                second(outcome.ended),
                outcome.cores * 100.0,
                outcome.flushing * 100.0,
                second(outcome.statements.iter().sum()),
                second(in_vain),
                times(&outcome.submit),
                times(&outcome.start),
                times(&outcome.state),
            );
            if outcome.cores > 0.99 {
                break;
            }
        }
    }
}

fn times(seconds: &[f64]) -> String {
    let Ok(series) = Series::new(seconds.to_vec()) else { return "none".to_owned() };
    format!("{:.1} / {:.1}", series.median() * 1e3, series.quantile(0.99) * 1e3)
}

fn is_full(outcome: &Outcome) -> bool {
    let waits = Series::new(outcome.start.clone()).map_or(f64::INFINITY, |waits| waits.quantile(0.99));
    outcome.cores > BUSY || waits > WAIT
}

/// Finds the highest load by trials: the load is doubled until it is too high, then found by bisection.
pub(super) fn most(engines: usize, costs: &Costs, variant: usize) -> f64 {
    let Some(variant) = VARIANTS.get(variant) else { return 0.0 };
    let full = |rate| is_full(&simulate(&Shape { ..of(engines, rate, variant) }, costs));
    let (mut fits, mut too_much) = (0.0, 500.0);
    while !full(too_much) {
        (fits, too_much) = (too_much, too_much * 2.0);
    }
    for _ in 0..3 {
        let middle = f64::midpoint(fits, too_much);
        if full(middle) { too_much = middle } else { fits = middle }
    }
    fits
}

fn capacity(text: &mut String, bench: &Bench, costs: &Costs) {
    text.push_str("| engines on it |");
    for variant in &VARIANTS {
        let _ = write!(text, " {} |", variant.name);
    }
    let _ = writeln!(text, "\n| --- |{}", " --- |".repeat(VARIANTS.len()));
    let engines: &[usize] = if bench.quick { &[10] } else { &[10, 20, 40, 80] };
    for &engines in engines {
        let _ = write!(text, "| {engines} |");
        for variant in 0..VARIANTS.len() {
            let _ = write!(text, " {:.0} |", most(engines, costs, variant));
        }
        text.push('\n');
    }
}

/// The number of engines, and the jobs a day.
const SIZES: [(usize, f64); 3] = [(10, 1e6), (100, 1e8), (1_000, 1e9)];
/// More engines than this on one partition are not tried.
const MOST_ENGINES: usize = 80;

fn partitions(text: &mut String, bench: &Bench, costs: &Costs) {
    text.push_str("| engines | jobs a day | jobs/s at the peak |");
    for variant in &VARIANTS {
        let _ = write!(text, " {} |", variant.name);
    }
    let _ = writeln!(text, "\n| --- | --- | --- |{}", " --- |".repeat(VARIANTS.len()));
    for (engines, a_day) in SIZES.into_iter().take(if bench.quick { 1 } else { SIZES.len() }) {
        let peak = a_day / 86_400.0 * 2.5;
        let _ = write!(text, "| {engines} | {a_day:e} | {peak:.0} |");
        for variant in &VARIANTS {
            let fits = |count: &usize| {
                let (mine, rate) = (engines / count, peak / *count as f64);
                mine <= MOST_ENGINES && !is_full(&simulate(&of(mine, rate, variant), costs))
            };
            let counts = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 33, 40, 50, 66, 100];
            let found = counts.iter().filter(|count| **count <= engines).find(|count| fits(count));
            let _ = write!(text, " {} |", found.map_or_else(|| "more than 100".to_owned(), usize::to_string));
        }
        text.push('\n');
    }
}
