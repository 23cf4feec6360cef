//! `job-demo`: runs graph work as jobs, and shows jobs that other processes ran.

mod cli;

use std::{io, process::ExitCode};

use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    log();
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) if closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("job-demo: {}", cli::sentence(&*error));
            cli::exit_code(&*error)
        }
    }
}

/// Log lines go to standard error, and only when `RUST_LOG` asks for them.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    let colour = cli::terminal::colour(&io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colour).init();
}

/// Whether the reader of standard output has closed it, as `head` does. That is not an error.
fn closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::BrokenPipe) {
            return true;
        }
        next = error.source();
    }
    false
}
