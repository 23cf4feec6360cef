//! A plot of the run: the distance of each row from its goal, on a logarithmic scale.

use std::fmt::Write as _;

use crate::report::{Met, Report, Row};

const ROW: u32 = 22;
const TOP: u32 = 70;
const LABELS: f64 = 520.0;
const WIDTH: f64 = 460.0;
/// Powers of ten on each side of the goal: the plot shows a hundredth of the goal to a hundred times the goal.
const DECADES: f64 = 2.0;

/// An SVG picture of the rows that have a goal.
#[must_use]
pub fn svg(report: &Report) -> String {
    let rows: Vec<(&Row, f64)> = report.rows().filter_map(|row| Some((row, row.margin()?))).collect();
    let height = TOP + ROW * u32::try_from(rows.len()).unwrap_or_default() + 20;
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {height}" font-family="sans-serif" font-size="12">"#,
        LABELS + WIDTH + 90.0,
    );
    out.push_str("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
    text(
        &mut out,
        10.0,
        22.0,
        "start",
        "How far each figure is beyond its goal (1 = exactly there, right is better)",
    );
    let mut y = TOP - 14;
    for exponent in [-2, -1, 0, 1, 2] {
        let label = match exponent {
            0 => "goal".to_owned(),
            _ => format!("{}x", 10_f64.powi(exponent)),
        };
        text(&mut out, x(10_f64.powi(exponent)), f64::from(y), "middle", &label);
    }
    y = TOP;
    for (row, margin) in rows {
        bar(&mut out, row, margin, f64::from(y));
        y += ROW;
    }
    let goal = x(1.0);
    let _ = writeln!(out, r##"<line x1="{goal}" x2="{goal}" y1="{}" y2="{y}" stroke="#222"/>"##, TOP - 8);
    out.push_str("</svg>\n");
    out
}

fn bar(out: &mut String, row: &Row, margin: f64, y: f64) {
    let (from, to) = (x(1.0).min(x(margin)), x(1.0).max(x(margin)));
    let colour = if row.met() == Some(Met::No) { "#c92a2a" } else { "#2b8a3e" };
    text(out, LABELS - 12.0, y + 12.0, "end", row.what());
    let _ = writeln!(
        out,
        r#"<rect x="{from:.1}" y="{y}" width="{:.1}" height="14" fill="{colour}"/>"#,
        (to - from).max(1.0),
    );
    let (at, anchor) = if margin < 1.0 { (from - 4.0, "end") } else { (to + 4.0, "start") };
    text(out, at, y + 12.0, anchor, &format!("{margin:.2}x"));
}

fn x(margin: f64) -> f64 {
    let place = margin.max(1e-9).log10().clamp(-DECADES, DECADES) / (2.0 * DECADES) + 0.5;
    LABELS + place * WIDTH
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(out, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#);
}
