//! Pages of finished jobs, each under its command, and suggestions of the next commands.

use std::{error::Error, io::Write};

use job_runner::{JobReader, JobRecord, JobState, Outcome, PageRequest};

use super::{
    ADDRESS, Global, GraphName, called, ids,
    plain::plain,
    pretty::{self, Cut},
    source::Source,
};

/// The kinds of work to show and the number of rows, those with the most rows at the end.
const SHOWN: [(&str, u32); 7] = [
    ("shortest_path", 1),
    ("triangle_count", 3),
    ("connected_component", 3),
    ("k_hop", 5),
    ("vertex_filter", 2),
    ("edge_filter", 2),
    ("pagerank", 5),
];

/// The vertices of a graph that takes long enough, on a machine that may be small.
const WATCHED: u32 = 5_000_000;

/// Writes the first page of some of the jobs.
pub(super) fn write(
    out: &mut impl Write,
    global: &Global,
    reader: &JobReader,
    records: &[JobRecord],
) -> Result<(), Box<dyn Error>> {
    let all: Vec<_> = records.iter().map(|record| record.id).collect();
    for (name, limit) in SHOWN {
        // The newest job of the kind, since an earlier process may have left another.
        let found = records.iter().rev().find(|record| record.spec.kind().to_string() == name);
        if let Some(record) = found.filter(|record| record.state == JobState::Complete(Outcome::Succeeded)) {
            let id = ids::short(&[record.id], &all).concat();
            let command = called::command(global, &format!("status {id} --limit {limit}"));
            writeln!(out, "\n{name}: {command}")?;
            let answer = Source::status(reader, record.id, PageRequest::new(0, limit)?)?;
            pretty::write(out, &answer.body, Cut::SHORT)?;
        }
    }
    Ok(())
}

/// Suggests commands for the jobs. The job with the most rows is the example.
pub(super) fn what_next(
    out: &mut impl Write,
    global: &Global,
    records: &[JobRecord],
) -> Result<(), Box<dyn Error>> {
    let example = records.iter().max_by_key(|record| record.size.rows).filter(|record| record.size.rows > 0);
    let all: Vec<_> = records.iter().map(|record| record.id).collect();
    writeln!(out, "\nNext:")?;
    let mut say = |command: String, what: &str| writeln!(out, "  {command}\n      {what}");
    say(called::on_graph(global, "serve"), &format!("serves them, with a page for people at http://{ADDRESS}/"))?;
    say(called::command(global, "list"), "lists them; also while they are served")?;
    if let Some(record) = example {
        let id = ids::short(&[record.id], &all).concat();
        let kind = record.spec.kind().to_string();
        say(
            called::command(global, &format!("rows {id}")),
            &format!("rows of {}; `export` has all", plain(&kind)),
        )?;
    }
    if global.graph() != GraphName::Synthetic {
        let watched = format!("serve --synthetic {WATCHED}");
        say(called::command(global, &watched), "a graph on which jobs take long enough to be watched")?;
    }
    Ok(())
}
