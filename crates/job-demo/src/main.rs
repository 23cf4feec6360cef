//! `job-demo`: runs graph work as jobs, and shows jobs that other processes ran.

mod cli;

use std::{io, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) if closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("job-demo: {}", cli::sentence(&*error));
            cli::exit_code(&*error)
        }
    }
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
