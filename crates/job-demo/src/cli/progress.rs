//! A progress bar for each running job.

use std::{error::Error, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use job_runner::{JobHandle, JobRecord};

use super::{run::Job, table};

const TICK: Duration = Duration::from_millis(40);

/// Waits for every job. Without a terminal no bar is drawn.
pub(super) fn wait(jobs: &[Job]) -> Result<Vec<JobRecord>, Box<dyn Error>> {
    let width = jobs.iter().map(|job| job.work.len()).max().unwrap_or(0);
    let style = ProgressStyle::with_template("{prefix} {bar:40} {percent:>3} %  {msg}")?;
    let bars = MultiProgress::new();
    let mut running = Vec::new();
    for job in jobs {
        let bar = bars.add(ProgressBar::new(1).with_style(style.clone()));
        bar.set_prefix(format!("{:width$}", job.work));
        bar.set_message("waiting");
        running.push((&job.handle, bar));
    }
    let mut records = Vec::new();
    for (place, (handle, bar)) in running.iter().enumerate() {
        let record = loop {
            if let Some(record) = handle.wait_timeout(TICK)? {
                break record;
            }
            for (handle, bar) in running.iter().skip(place) {
                show(handle, bar);
            }
        };
        bar.set_length(1);
        bar.set_position(1);
        bar.finish_with_message(ending(&record));
        records.push(record);
    }
    Ok(records)
}

fn ending(record: &JobRecord) -> String {
    match record.size.rows {
        0 => record.state.to_string(),
        rows => format!("{}, {} rows", record.state, table::thousands(rows)),
    }
}

fn show(handle: &JobHandle, bar: &ProgressBar) {
    let progress = handle.progress();
    if progress.total > 0 {
        bar.set_message("running");
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    }
}
