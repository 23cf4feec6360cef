//! `copy`: the jobs of one store in another, of any two kinds.

use std::{
    error::Error,
    fs,
    io::{self, Write},
    process::ExitCode,
};

use indicatif::{ProgressBar, ProgressStyle};
use job_runner::{
    JobId,
    store::{Copied, CopyNews, CopyOptions, copy},
};
use serde_json::json;

use super::{
    CommandResult, Global,
    address::Address,
    exit::{Exit, Mistake},
    location::Location,
    pick::Pick,
    plain::{one_line, plain},
    server, store,
    words::{count, thousands},
};

/// The last part takes what is left of the line of the terminal, and is cut there.
const TEMPLATE: &str = "copying {bar:20} {percent:>3} %  {wide_msg}";

pub(super) fn run(global: &Global, from: &Location, to: &Location, pick: &Pick) -> CommandResult {
    if global.server.is_some() {
        return Err(Mistake::new(Exit::Usage, "copy opens both stores itself: leave out --server").into());
    }
    if is_same(from, to) {
        return Err(Mistake::new(Exit::Usage, "--from and --to name the same store: name two").into());
    }
    server::none_at(to, "copy")?;
    if let Some(Address { url, pid, .. }) = server::running_at(from)? {
        eprintln!(
            "the store {from} is served at {url} by process {pid}: jobs go on there; end that process and copy again \
             before jobs run in {to}"
        );
    }
    let (source, target) = (store::read_only_at(from)?, store::write_at(to)?);
    let options = CopyOptions::default().filter(pick.filter(global.graph.map(super::GraphName::as_str)));
    let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template(TEMPLATE)?);
    let copied = copy(&*source, &*target.store(), &options, &mut |news| match news {
        CopyNews::Progress(copied) => show(&bar, &copied),
        CopyNews::LeftOut { job, why } => bar.suspend(|| leave_out(global, job, &why)),
        _ => {}
    });
    bar.finish_and_clear();
    let copied = copied?;
    tell(global, to, &copied)?;
    Ok(if copied.left_out == 0 { ExitCode::SUCCESS } else { Exit::Refused.into() })
}

/// Directories are one if they are, however they are spelled.
fn is_same(from: &Location, to: &Location) -> bool {
    match (from, to) {
        (Location::Directory(from), Location::Directory(to)) => {
            from == to || fs::canonicalize(from).is_ok_and(|from| fs::canonicalize(to).is_ok_and(|to| from == to))
        }
        (from, to) => from == to,
    }
}

fn show(bar: &ProgressBar, copied: &Copied) {
    bar.set_length(copied.jobs_in_all.max(1));
    bar.set_position(copied.jobs + copied.present + copied.left_out);
    let [jobs, rows, bytes] = [copied.jobs, copied.rows, copied.bytes].map(count);
    bar.set_message(format!("{jobs} jobs, {rows} rows, {bytes} bytes"));
}

fn leave_out(global: &Global, job: JobId, why: &str) {
    if global.json {
        println!("{}", one_line(&json!({ "jobId": job.to_string(), "leftOut": why }).to_string()));
    } else {
        eprintln!("job {job} is left out: {}", plain(why));
    }
}

fn tell(global: &Global, to: &Location, copied: &Copied) -> Result<(), Box<dyn Error>> {
    let Copied { jobs, rows, bytes, present, left_out, .. } = *copied;
    let text = if global.json {
        json!({ "jobs": jobs, "rows": rows, "bytes": bytes, "present": present, "leftOut": left_out }).to_string()
    } else {
        let [jobs, rows, bytes] = [jobs, rows, bytes].map(thousands);
        let [present, left_out] = [(present, "were there already"), (left_out, "are left out")]
            .map(|(jobs, which)| if jobs == 0 { String::new() } else { format!("; {} {which}", thousands(jobs)) });
        format!("{jobs} jobs with {rows} rows, {bytes} bytes, are now in {to}{present}{left_out}")
    };
    writeln!(io::stdout().lock(), "{}", one_line(&text))?;
    Ok(())
}
