//! The command line.

mod actions;
mod address;
mod backup;
mod called;
mod cancel;
mod client;
mod columns;
mod copy;
mod exit;
mod export;
mod ids;
mod inspect;
mod job;
mod list;
mod location;
mod log;
mod metrics;
mod pages;
mod payload;
mod pick;
mod plain;
mod pretty;
mod progress;
mod remote;
mod requests;
mod rows;
mod run;
mod serve;
mod server;
mod source;
mod status;
mod stop;
mod store;
mod submit;
mod table;
mod terminal;
mod words;
mod worker;

use std::{
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use job_demo::{
    graph::Graph,
    graphs::{Graphs, GraphsError},
    synthetic, wordnet,
};
use job_runner::PageRequest;

use self::{list::Listing, location::Location, pick::Pick, submit::Marks};

const DEFAULT_STORE: &str = "job-demo-store";

/// The environment variable with the store for commands without `--store`.
const STORE: &str = "JOB_DEMO_STORE";

/// The default address of a server.
const ADDRESS: &str = "127.0.0.1:8080";

/// The result of every command: an exit code, or an error that is one sentence.
type CommandResult = Result<ExitCode, Box<dyn Error>>;

/// A small graph engine whose vertex filters, edge filters and algorithms run as durable jobs.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 80, after_help = exit::HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Job store: a directory, made when missing, or a database that several processes share (a build with the feature
    /// `postgres`)
    ///
    /// With `,blocks=URL`, rows of large results go to `file:///DIR`, which all processes see, or to
    /// `s3://BUCKET/PREFIX`, and everything else to the database. S3 needs a build with the feature `s3`; keys,
    /// `AWS_REGION`, `AWS_ENDPOINT` and `AWS_ALLOW_HTTP` come from the environment. It is to be the same for all
    /// processes.
    #[arg(
        long,
        global = true,
        value_name = "DIR|rocksdb:DIR|postgres:URL[,blocks=URL]",
        default_value = DEFAULT_STORE,
        env = STORE,
        hide_env_values = true
    )]
    store: Location,
    /// Graph that new jobs read [default: wordnet, or synthetic with --synthetic]; of `list`, only jobs of this graph
    #[arg(long, global = true, value_enum)]
    graph: Option<GraphName>,
    /// Make the graph `synthetic` of this number of vertices, for work to watch: a million takes 0.5 GB of memory
    /// [default: 1000000]
    #[arg(long, global = true, value_name = "VERTICES", value_parser = clap::value_parser!(u32).range(2..=100_000_000))]
    synthetic: Option<u32>,
    /// Directory with the data files of `WordNet` 3.0
    #[arg(long, global = true, value_name = "DIR", default_value = wordnet::DEFAULT_DIRECTORY)]
    wordnet: PathBuf,
    /// Ask this server instead of opening a store; the one that serves the store is found without it
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Print JSON for machines, and nothing else, on standard output
    #[arg(long, global = true)]
    json: bool,
}

impl Global {
    /// The graph that new jobs read.
    fn graph(&self) -> GraphName {
        let default = if self.synthetic.is_some() { GraphName::Synthetic } else { GraphName::Wordnet };
        self.graph.unwrap_or(default)
    }

    /// Every graph.
    fn graphs(&self) -> Graphs {
        let graphs = Graphs::new(self.wordnet.clone());
        self.synthetic.into_iter().fold(graphs, Graphs::synthetic)
    }

    /// Loads the graph of new jobs before one needs it, so that a wrong directory is an error at once.
    fn load<'g>(&self, graphs: &'g Graphs) -> Result<&'g Graph, GraphsError> {
        if self.graph() == GraphName::Synthetic && !self.json {
            let vertices = words::thousands(self.synthetic.unwrap_or(synthetic::DEFAULT));
            eprintln!("making the graph synthetic of {vertices} vertices");
        }
        graphs.get(self.graph().as_str())
    }

    /// The directory of exports.
    fn exports(&self, given: Option<PathBuf>) -> Option<PathBuf> {
        given.or_else(|| match &self.store {
            Location::Directory(directory) => Some(directory.join("exports")),
            Location::Postgres { .. } => None,
        })
    }

    /// The graphs of a server or worker: those that are named, and the one inside the program. A job of another
    /// graph fails at once.
    fn served(&self) -> Graphs {
        let made = self.synthetic.map(|_| GraphName::Synthetic);
        let names: Vec<&str> =
            [self.graph(), GraphName::Movies].into_iter().chain(made).map(GraphName::as_str).collect();
        self.graphs().serving(&names)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphName {
    /// 117,659 synsets and 377,592 pointers
    Wordnet,
    /// 160 users and films, invented; ships with the program
    Movies,
    /// As many vertices as --synthetic says, and twice as many edges
    Synthetic,
}

impl GraphName {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Wordnet => "wordnet",
            Self::Movies => "movies",
            Self::Synthetic => "synthetic",
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Finish what an earlier process left, then run one job of every kind and show their pages
    Run {
        /// Only finish what is there
        #[arg(long)]
        pending: bool,
    },
    /// Store a job and print its id; a server or worker runs it, else `run --pending`
    Submit {
        /// `vertex_filter`, `edge_filter` or the name of an algorithm
        #[arg(value_name = "KIND|ALGORITHM")]
        work: String,
        /// Request body of a filter, or parameters of an algorithm
        #[arg(long, value_name = "JSON", default_value = "{}")]
        parameters: String,
        #[command(flatten)]
        marks: Marks,
        /// Wait for its end; without a server of the directory, the job is run here
        #[arg(long)]
        wait: bool,
    },
    /// Store the request of a job once more, as a new job
    Retry {
        /// The job: its id, or the end of it as `list` shows it
        id: String,
        /// Wait for its end; without a server of the directory, the job is run here
        #[arg(long)]
        wait: bool,
    },
    /// Answer a status query: the state, or a page of the result
    Status {
        /// The job: its id, or the end of it as `list` shows it
        id: String,
        /// First row of the page [default: 0]
        #[arg(long, value_name = "ROW", allow_hyphen_values = true)]
        offset: Option<String>,
        /// Most rows of the page, up to 100000 [default: 100000]
        #[arg(long, value_name = "ROWS", allow_hyphen_values = true)]
        limit: Option<String>,
    },
    /// Print rows of a result, a line of JSON each
    Rows {
        /// The job: its id, or the end of it as `list` shows it
        id: String,
        /// First row [default: 0]
        #[arg(long, value_name = "ROW", allow_hyphen_values = true)]
        offset: Option<String>,
        /// Most rows, up to 100000
        #[arg(long, value_name = "ROWS", allow_hyphen_values = true, default_value = rows::LIMIT)]
        limit: String,
    },
    /// Write a whole result to standard output, or to a file
    Export {
        /// The job: its id, or the end of it as `list` shows it
        id: String,
        /// File to make; one that exists is not replaced
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// How it is written [default: csv for FILE.csv, else jsonl]
        #[arg(long, value_enum)]
        format: Option<export::Format>,
    },
    /// List jobs, the newest first
    List {
        #[command(flatten)]
        pick: Pick,
        /// Newest of these jobs to skip [default: 0]
        #[arg(long, value_name = "JOBS", allow_hyphen_values = true)]
        offset: Option<String>,
        /// Most jobs to list, up to 100000
        #[arg(long, value_name = "JOBS", allow_hyphen_values = true, default_value = list::LIMIT)]
        limit: String,
        /// Look every second until Ctrl-C; what is no terminal gets only what has changed
        #[arg(long)]
        watch: bool,
    },
    /// Print what makes a shell complete the words of this program
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Show what the store holds and compare every checksum; of one job, its segments and blocks
    Inspect {
        /// The job: its id, or the end of it as `list` shows it
        id: Option<String>,
    },
    /// Make a copy of the store at one moment, also while it is served
    ///
    /// It has every job and row that was acknowledged before. It is a store itself: name it with --store.
    Backup {
        /// Directory to make, in one that is there; on the disk of the store it takes a moment
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Copy the jobs of one store into another, with their results
    ///
    /// It goes on where it was ended, and passes over what is whole. Jobs that have not ended wait in the copy: let them
    /// run in one of the two.
    Copy {
        /// Store to read
        #[arg(long, value_name = "STORE")]
        from: Location,
        /// Store to write, made when missing
        #[arg(long, value_name = "STORE")]
        to: Location,
        #[command(flatten)]
        pick: Pick,
    },
    /// Cancel a job that has not ended: it never runs, or stops within a moment
    Cancel {
        /// The job: its id, or the end of it as `list` shows it
        id: String,
    },
    /// Serve jobs over HTTP, with a page for people at /
    Serve {
        /// Address and port
        #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
        listen: SocketAddr,
        /// Directory for exported results, made when missing [default: `exports` in the directory of the store; none,
        /// and no exports, for a database]
        #[arg(long, value_name = "DIR")]
        exports: Option<PathBuf>,
        /// How many jobs run at once in this process; with 0 it serves only, and workers run the jobs [default: cores]
        #[arg(long, value_name = "JOBS")]
        workers: Option<usize>,
        /// How lines of the log are written
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
        log: log::Format,
        #[command(flatten)]
        reach: serve::Reach,
        #[command(flatten)]
        words: serve::Words,
    },
    /// Run the jobs of a shared store until Ctrl-C or SIGTERM; then end those that run and leave the rest to others
    Worker {
        /// How many jobs run at once [default: cores]
        #[arg(long, value_name = "JOBS")]
        workers: Option<usize>,
        /// Directory for exported results, made when missing [default: `exports` in the directory of the store; none,
        /// and no exports, for a database]
        #[arg(long, value_name = "DIR")]
        exports: Option<PathBuf>,
        /// How long running jobs may go on when the program is told to stop; then others run them again
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        grace: u64,
        /// How lines of the log are written
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
        log: log::Format,
    },
}

/// The error as one line without control characters, since it may repeat text of a client.
pub(crate) fn sentence(error: &dyn Error) -> String {
    without_numbers(&plain::plain(&error.to_string()))
}

/// The exit code of the error.
pub(crate) fn exit_code(error: &(dyn Error + 'static)) -> ExitCode {
    exit::exit(error).into()
}

/// Removes the number that the standard library adds to the system's message.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => out.push_str(rest),
            _ => {
                out.push_str(" (os error ");
                out.push_str(part);
            }
        }
    }
    out
}

impl Cli {
    pub(crate) fn run(self) -> CommandResult {
        let Self { global, command } = self;
        log::begin(match &command {
            Command::Serve { log, .. } | Command::Worker { log, .. } => *log,
            _ => log::Format::Text,
        });
        match command {
            Command::Run { pending } => run::run(&global, pending),
            Command::Submit { work, parameters, marks, wait } => {
                submit::submit(&global, &work, parameters, marks, wait)
            }
            Command::Retry { id, wait } => submit::retry(&global, &id, wait),
            Command::Rows { id, offset, limit } => {
                rows::rows(&global, &id, PageRequest::parse(offset.as_deref(), Some(&limit))?)
            }
            Command::Export { id, output, format } => export::export(&global, &id, output.as_deref(), format),
            Command::Status { id, offset, limit } => {
                status::status(&global, &id, offset.as_deref(), limit.as_deref())
            }
            Command::List { pick, offset, limit, watch } => {
                let page = PageRequest::parse(offset.as_deref(), Some(&limit))?;
                list::list(&global, &Listing { pick, page, watch })
            }
            Command::Completions { shell } => completions(shell),
            Command::Inspect { id } => inspect::inspect(&global, id.as_deref()),
            Command::Backup { to } => backup::backup(&global, &to),
            Command::Copy { from, to, pick } => copy::run(&global, &from, &to, &pick),
            Command::Cancel { id } => cancel::cancel(&global, &id),
            Command::Serve { listen, exports, workers, reach, words, .. } => {
                serve::serve(&global, listen, global.exports(exports).as_deref(), workers, &reach, &words)
            }
            Command::Worker { workers, exports, grace, .. } => {
                worker::worker(&global, workers, exports.as_deref(), Duration::from_secs(grace))
            }
        }
    }
}

fn completions(shell: Shell) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "job-demo", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// As many jobs at once as the machine has cores.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_fits_80_columns_and_tells_of_every_option() {
        let mut program = Cli::command();
        program.build();
        let commands = program.clone();
        let commands = commands.get_subcommands().cloned().chain([program]);
        for mut command in commands {
            let name = command.get_name().to_owned();
            for help in [command.render_help(), command.render_long_help()] {
                let help = help.to_string();
                let wide = help.lines().find(|line| line.chars().count() > 80);
                assert_eq!(wide, None, "{name}");
            }
            let silent = command.get_arguments().find(|argument| argument.get_help().is_none());
            assert!(silent.is_none(), "{name}: {silent:?}");
            assert!(name == "job-demo" || command.get_about().is_some(), "{name}");
        }
    }

    #[test]
    fn what_the_system_says_is_told_without_its_number() {
        let missing = io::Error::from_raw_os_error(2);
        for (text, told) in [
            (format!("a: {missing}; b: {missing}"), "a: No such file or directory; b: No such file or directory"),
            ("(os error x) (os error 1".to_owned(), "(os error x) (os error 1"),
        ] {
            assert_eq!(without_numbers(&text), told);
        }
    }
}
