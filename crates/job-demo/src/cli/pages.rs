//! Pages of finished jobs, each under the command that asks for it.

use std::{error::Error, io::Write};

use job_runner::{Ending, JobReader, JobRecord, JobState, PageRequest};

use super::{
    DEFAULT_STORE, Global,
    location::Location,
    plain::plain,
    pretty::{self, Cut},
    status, table,
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
    for (name, limit) in SHOWN {
        // The newest of a kind: an earlier process may have left one as well.
        let found = records.iter().rev().find(|record| record.spec.kind().to_string() == name);
        if let Some(record) = found.filter(|record| record.state == JobState::Complete(Ending::Succeeded)) {
            let (work, id) = (table::work(record.spec.kind()), record.id.to_string());
            writeln!(out, "\n{work}: job-demo {store}status {id} --offset 0 --limit {limit}")?;
            let answer = status::answer(reader, &id, PageRequest::new(0, limit)?)?;
            pretty::write(out, &answer.body, Cut::SHORT)?;
        }
    }
    Ok(())
}
