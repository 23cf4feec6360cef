//! Pages of finished jobs, each under the command that asks for it.

use std::{error::Error, io::Write};

use job_runner::{Ending, JobReader, JobRecord, JobState, PageRequest};

use super::{
    DEFAULT_STORE, Global, ids,
    location::Location,
    plain::plain,
    pretty::{self, Cut},
    source::Source,
};

/// The work to show and how many rows of it, the richest at the end.
const SHOWN: [(&str, u32); 7] = [
    ("shortest_path", 1),
    ("triangle_count", 3),
    ("connected_component", 3),
    ("k_hop", 5),
    ("vertex_filter", 2),
    ("edge_filter", 2),
    ("pagerank", 5),
];

/// Writes the first page of some of the jobs.
pub(super) fn write(
    out: &mut impl Write,
    global: &Global,
    reader: &JobReader,
    records: &[JobRecord],
) -> Result<(), Box<dyn Error>> {
    let store = if global.store == Location::Directory(DEFAULT_STORE.into()) {
        String::new()
    } else {
        format!("--store {} ", plain(&global.store.to_string()))
    };
    let all: Vec<_> = records.iter().map(|record| record.id).collect();
    for (name, limit) in SHOWN {
        // The newest of a kind: an earlier process may have left one as well.
        let found = records.iter().rev().find(|record| record.spec.kind().to_string() == name);
        if let Some(record) = found.filter(|record| record.state == JobState::Complete(Ending::Succeeded)) {
            let id = ids::short(&[record.id], &all).concat();
            writeln!(out, "\n{name}: job-demo {store}status {id} --limit {limit}")?;
            let answer = Source::status(reader, record.id, PageRequest::new(0, limit)?)?;
            pretty::write(out, &answer.body, Cut::SHORT)?;
        }
    }
    Ok(())
}
