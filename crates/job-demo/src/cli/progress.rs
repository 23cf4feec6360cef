//! A progress bar for each running job.

use std::{error::Error, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use job_runner::{JobHandle, JobId, JobRecord};
use unicode_width::UnicodeWidthStr;

use super::{columns::cut, job::Job as Shown, plain::plain, run::Job, source::Changes, words::count};

const TICK: Duration = Duration::from_millis(40);

/// Columns of the name of a job: the longest of the demo has 19.
const NAME: usize = 20;

/// The message takes the rest of the line, and is cut there.
const TEMPLATE: &str = "{prefix} {bar:20} {percent:>3} %  {wide_msg}";

/// Waits for every job. Without a terminal no bar is drawn.
pub(super) fn wait(jobs: &[Job]) -> Result<Vec<JobRecord>, Box<dyn Error>> {
    let names = names(&jobs.iter().map(|job| job.work.as_str()).collect::<Vec<_>>());
    let style = ProgressStyle::with_template(TEMPLATE)?;
    let bars = MultiProgress::new();
    let mut running = Vec::new();
    for (job, name) in jobs.iter().zip(names) {
        let bar = bars.add(ProgressBar::new(1).with_style(style.clone()));
        bar.set_prefix(name);
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
        bar.finish_with_message(ending(&record.state.to_string(), record.size.rows));
        records.push(record);
    }
    Ok(records)
}

/// Waits for one job.
pub(super) fn wait_for(jobs: &dyn Changes, id: JobId) -> Result<Shown, Box<dyn Error>> {
    let bar = ProgressBar::new(100).with_style(ProgressStyle::with_template(TEMPLATE)?);
    let job = jobs.wait(id, &mut |job| {
        bar.set_prefix(cut(&plain(&job.work), NAME));
        bar.set_message(job.state.to_string());
        bar.set_position(job.progress.unwrap_or(0));
    });
    bar.finish_and_clear();
    job
}

/// The names, all of one width.
fn names(works: &[&str]) -> Vec<String> {
    let names: Vec<String> = works.iter().map(|work| cut(&plain(work), NAME)).collect();
    let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
    names.into_iter().map(|name| format!("{name}{}", " ".repeat(width - name.width()))).collect()
}

fn ending(state: &str, rows: u64) -> String {
    match rows {
        0 => state.to_owned(),
        rows => format!("{state}, {} rows", count(rows)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_fits_80_columns() {
        let bar = TEMPLATE.split_once("{bar:").and_then(|(_, rest)| rest.split('}').next()).unwrap();
        let bar = "x".repeat(bar.parse().unwrap());
        let works = ["kcore", "connected_component", "莎拉莎拉莎拉莎拉莎拉莎拉", &"x".repeat(256), "a\u{1b}[2J"];
        let names = names(&works);
        let widths: Vec<usize> = names.iter().map(|name| name.width()).collect();
        assert_eq!(widths, [NAME; 5]);
        let line = |name: &str, end: &str| format!("{name} {bar} 100 %  {end}").width();
        for name in &names {
            for state in ["succeeded", "cancelling", "cancelled"] {
                let line = line(name, &ending(state, u64::MAX));
                assert!(line < 80, "{line}: {name}");
            }
        }
        assert_eq!(ending("failed", 0), "failed");
    }
}
