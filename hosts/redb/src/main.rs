//! A graph engine without any C++: its jobs and their rows lie in one redb file.
//!
//! `cargo run` in this directory filters 100,000 vertices and prints a page of them. `cargo run -- FILE` names the file.

use std::{env, error::Error, fs, io, path::PathBuf, sync::Arc};

use job_runner::{Engine, JobContext, JobError, JobSpec, PageRequest, Partition, ScanOptions, store::RedbStore};

/// The graph: the age of each person, by number.
type Ages = Vec<u8>;

fn adults(ctx: &mut JobContext, ages: &Arc<Ages>) -> Result<(), JobError> {
    let ages = Arc::clone(ages);
    // Idle workers take a part of the vertices each. The rows are in the order of the numbers nevertheless.
    ctx.scan("vertices", 0..ages.len() as u64, ScanOptions::default(), move |part: &mut Partition<'_>| {
        for number in part.ids() {
            part.check_stopped()?;
            let age = usize::try_from(number).ok().and_then(|number| ages.get(number));
            if let Some(age) = age.filter(|age| **age >= 18) {
                part.push_json(format!(r#"{{"id":"v{number}","properties":{{"Age":[{age}]}}}}"#).as_bytes())?;
            }
        }
        Ok(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).map_or_else(|| PathBuf::from("target/jobs.redb"), PathBuf::from);
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let ages: Arc<Ages> = Arc::new((0..100_000_u32).map(|number| (number * 7 % 90) as u8).collect());
    let engine = Engine::builder(Arc::new(RedbStore::open(&file)?))
        .vertex_filter(move |ctx: &mut JobContext| adults(ctx, &ages))
        .open()?;

    let job = engine.submit(JobSpec::vertex_filter().with_graph("people"))?;
    let record = job.wait()?;
    println!("job {} is {} with {} rows in {}", job.id(), record.state, record.size.rows, file.display());
    job.status(PageRequest::new(50_000, 3)?)?.write_to(&mut io::stdout())?;
    println!();
    let jobs = engine.reader().list(PageRequest::new(0, 1_000)?)?.len();
    println!("the file has {jobs} jobs, with those of earlier runs");
    Ok(())
}
