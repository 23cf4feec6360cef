//! The log of the program, on standard error.

use std::io;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::terminal;

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// For people; only the lines that `RUST_LOG` asks for
    #[default]
    Text,
    /// An object of JSON a line; from level info on, unless `RUST_LOG` asks for others
    Json,
}

/// Begins the log. A line about a job has its id: in the field `job`, or in the span `job` that is around its body.
pub(super) fn begin(format: Format) {
    let asked = EnvFilter::try_from_default_env();
    let log = tracing_subscriber::fmt().with_writer(io::stderr);
    match format {
        Format::Text => {
            let filter = asked.unwrap_or_else(|_| EnvFilter::new("off"));
            log.with_env_filter(filter).with_ansi(terminal::colour(&io::stderr())).init();
        }
        Format::Json => {
            let filter = asked.unwrap_or_else(|_| EnvFilter::new("info"));
            log.with_env_filter(filter).json().flatten_event(true).with_span_list(false).init();
        }
    }
}
