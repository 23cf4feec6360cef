//! The figures of the README are those of the benchmark run beside it.

use std::{fs, path::Path};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).expect(name)
}

/// One row of the run: its subject, our figure and the median of the ratio.
struct Figure {
    what: String,
    ours: String,
    ratio: f64,
}

fn figures(run: &str) -> Vec<Figure> {
    let figure = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
        let ratio = cells.get(4)?.split(' ').next()?.parse().ok()?;
        Some(Figure { what: cells[0].to_owned(), ours: cells[2].to_owned(), ratio })
    };
    run.lines().filter_map(figure).collect()
}

/// A ratio as people say it: `1.05`, `7.7`, `6`, `145`.
fn times(ratio: f64) -> String {
    let text = match ratio {
        ..2.0 => format!("{ratio:.2}"),
        2.0..9.95 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The least and the greatest ratio of the rows that begin so and are beside one of these programs.
fn span(figures: &[Figure], begin: &str, beside: &[&str]) -> String {
    let of_them = |row: &&Figure| {
        row.what.starts_with(begin) && beside.iter().any(|name| row.what.contains(&format!("/ {name}")))
    };
    let ratios: Vec<f64> = figures.iter().filter(of_them).map(|row| row.ratio).collect();
    assert!(ratios.len() > 1, "the run has no rows `{begin}`");
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = ratios.iter().copied().fold(0.0, f64::max);
    format!("{} to {} times", times(least), times(greatest))
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_run() {
    let (readme, figures) = (read("README.md"), figures(&read("benches/results/run.md")));
    let row = |what: &str| figures.iter().find(|row| row.what == what).expect(what);
    let [key, offset] =
        ["keyset", "OFFSET"].map(|by| row(&format!("last 100,000 of 1,000,000 rows / SQLite, {by}")));
    let milliseconds: f64 = key.ours.strip_suffix(" ms").expect("milliseconds").parse().expect("a number");
    let sqlite = ["effectum", "apalis-sqlite", "azums, SQLite"];
    let postgres = ["graphile_worker", "apalis-postgres"];
    let expected = [
        format!(
            "take {milliseconds:.1} ms; SQLite takes {} times as long by key, {} times by `OFFSET`",
            times(key.ratio),
            times(offset.ratio)
        ),
        format!(
            "submits {} as fast ({} with 1,000 jobs a call), drains {} as fast",
            span(&figures, "submit, one call a job", &sqlite),
            span(&figures, "submit, 1,000 a call", &sqlite),
            span(&figures, "drain no-ops", &sqlite),
        ),
        format!(
            "submits {} as fast, drains {} as fast",
            span(&figures, "submit on PostgreSQL", &postgres),
            span(&figures, "drain on PostgreSQL", &postgres),
        ),
    ];
    for text in expected {
        assert!(readme.contains(&text), "benches/results/run.md says, and README.md does not: {text}");
    }
}
