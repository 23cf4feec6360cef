//! The benchmark harness. Each figure is a ratio to another figure that is measured in the same run.
//!
//! `cargo run --release -p job-benches -- [--quick] [--only NAME] [--out DIR]` runs the [`scenarios`], prints a table
//! and writes it as Markdown and SVG. Rounds are interleaved and the order rotates ([`measure`]), so that a noisy
//! moment hits both sides. A figure is the median of the rounds, shown with the least and the greatest.

#![expect(clippy::cast_precision_loss, reason = "figures for people: counts and bytes far below 2^52")]

pub mod child;
pub mod engines;
pub mod machine;
pub mod measure;
pub mod peers;
pub mod plot;
pub mod report;
pub mod scale;
pub mod scenarios;
pub mod stored;
pub mod team;
pub mod vertices;
