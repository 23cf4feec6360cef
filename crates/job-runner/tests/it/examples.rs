//! The examples of this package, run as a reader runs them.

#[path = "../../examples/filter.rs"]
mod filter;
#[path = "../../examples/key_ranges.rs"]
mod key_ranges;
#[path = "../../examples/resume.rs"]
mod resume;
#[path = "../../examples/several_engines.rs"]
mod several_engines;

#[test]
fn every_example_runs_to_its_end() {
    for (name, example) in [
        ("filter", filter::main as fn() -> Result<(), Box<dyn std::error::Error>>),
        ("key_ranges", key_ranges::main),
        ("resume", resume::main),
        ("several_engines", several_engines::main),
    ] {
        example().unwrap_or_else(|error| panic!("example {name}: {error}"));
    }
}
