//! See the library.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use job_benches::{
    child,
    machine::{self, Machine},
    plot,
    report::{self, Met, Report},
    scenarios::{self, Bench},
};

/// Measures the job engine and its peers, prints a table, and writes Markdown and a plot.
#[derive(Debug, Parser)]
struct Arguments {
    /// Small sizes: under two minutes.
    #[arg(long)]
    quick: bool,
    /// Only the scenarios whose name contains this; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The directory for the Markdown and the plot.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/results"))]
    out: PathBuf,
    /// The directory for the stores, on the disk to be measured.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-stores"))]
    stores: PathBuf,
    /// Runs one task for a parent process.
    #[arg(long, hide = true, requires = "rows")]
    child: Option<String>,
    #[arg(long, hide = true)]
    rows: Option<usize>,
    #[arg(long, hide = true)]
    url: Option<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(task) = &arguments.child {
        let rows = arguments.rows.unwrap_or_default();
        return match &arguments.url {
            Some(url) => scenarios::postgres::serve(task, url, rows),
            None => child::serve(task, &arguments.out, rows),
        };
    }
    fs::create_dir_all(&arguments.stores).context("make the directory of the stores")?;
    let bench = Bench { quick: arguments.quick, stores: arguments.stores.clone(), out: arguments.out.clone() };
    let machine = Machine::look(&arguments.stores)?;
    println!("{machine}");
    let mut sections = Vec::new();
    for scenario in scenarios::ALL {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|name| scenario.name.contains(name)) {
            continue;
        }
        println!("\n{}: {}", scenario.name, scenario.about);
        let rows = (scenario.run)(&bench).with_context(|| format!("scenario {}", scenario.name))?;
        print!("{}", report::columns(&rows));
        sections.push((format!("{}: {}", scenario.name, scenario.about), rows));
    }
    let report = Report { machine, load_after: machine::load(), quick: bench.quick, sections };
    write(&arguments, &report)
}

fn write(arguments: &Arguments, report: &Report) -> Result<()> {
    fs::create_dir_all(&arguments.out)?;
    let name = if arguments.quick { "quick" } else { "run" };
    fs::write(arguments.out.join(name).with_extension("md"), report.markdown())?;
    fs::write(arguments.out.join(name).with_extension("svg"), plot::svg(report))?;
    println!("\nwritten to {}", arguments.out.display());
    for (met, name) in [(Met::No, "missed"), (Met::ByMedian, "met by the median, and not by every round")] {
        let rows: Vec<&str> = report.rows().filter(|row| row.met() == Some(met)).map(report::Row::what).collect();
        println!("goals {name}: {}", rows.len());
        for what in rows {
            println!("  {what}");
        }
    }
    Ok(())
}
