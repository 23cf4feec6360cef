//! The command line.

use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Setup,
    Demo,
    Test,
    Bench,
    Torture,
    Fuzz,
    Hosts,
    Dist,
    Ci,
}

impl Command {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "help" | "--help" | "-h" => Self::Help,
            "setup" => Self::Setup,
            "demo" => Self::Demo,
            "test" => Self::Test,
            "bench" => Self::Bench,
            "torture" => Self::Torture,
            "fuzz" => Self::Fuzz,
            "hosts" => Self::Hosts,
            "dist" => Self::Dist,
            "ci" => Self::Ci,
            _ => return None,
        })
    }

    const fn takes_more(self) -> bool {
        !matches!(self, Self::Setup)
    }
}

/// The source of WordNet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WordNet {
    /// An installed one, or else the Debian package.
    Anywhere,
    Directory(PathBuf),
    Nowhere,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) command: Command,
    /// The argument of `help`: the command to explain.
    pub(crate) topic: Option<Command>,
    pub(crate) wordnet: WordNet,
    /// The arguments of the program that the command starts.
    pub(crate) rest: Vec<String>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let name = arguments.next().unwrap_or_else(|| "help".to_owned());
        let command = Command::named(&name).ok_or_else(|| unknown(&name))?;
        let mut options = Self { command, topic: None, wordnet: WordNet::Anywhere, rest: Vec::new() };
        while let Some(argument) = arguments.next() {
            if let Some(directory) = value(&argument, "--wordnet", &mut arguments) {
                if directory.is_empty() {
                    return Err("--wordnet needs a directory after it".to_owned());
                }
                options.wordnet = WordNet::Directory(directory.into());
                continue;
            }
            match argument.as_str() {
                "--no-wordnet" => options.wordnet = WordNet::Nowhere,
                // After an argument of the program, `--help` is an option of that program.
                "--help" | "-h" if options.rest.is_empty() => {
                    (options.command, options.topic) = (Command::Help, Some(command));
                }
                topic if command == Command::Help => {
                    options.topic = Some(Command::named(topic).ok_or_else(|| unknown(topic))?);
                }
                _ if !command.takes_more() => {
                    return Err(format!("`{name}` takes no argument `{argument}`: see `cargo xtask help`"));
                }
                _ => options.rest.push(argument),
            }
        }
        Ok(options)
    }
}

/// The value of this option, after a `=` or as the next argument; empty if there is none. `None` if `argument` is
/// not the option.
pub(crate) fn value(argument: &str, option: &str, next: &mut impl Iterator<Item = String>) -> Option<String> {
    match argument.strip_prefix(option)? {
        "" => Some(next.next().unwrap_or_default()),
        rest => rest.strip_prefix('=').map(str::to_owned),
    }
}

fn unknown(name: &str) -> String {
    format!("there is no command `{name}`: see `cargo xtask help` for those there are")
}

/// The number of schedules for `torture schedules`.
pub(crate) fn schedules(rest: &[String]) -> Result<u64, String> {
    const LONG_FORM: u64 = 100_000;
    match rest {
        [] => Ok(LONG_FORM),
        [number] => number.parse().map_err(|_| format!("`{number}` is no number of schedules")),
        [_, more, ..] => Err(format!("`torture schedules` takes one number, not also `{more}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn nothing_asks_for_help() {
        assert_eq!(parse("").unwrap().command, Command::Help);
        assert_eq!(parse("help").unwrap().topic, None);
    }

    #[test]
    fn help_is_of_the_command_that_is_named() {
        for line in ["help torture", "torture --help", "torture -h"] {
            let options = parse(line).unwrap();
            assert_eq!((options.command, options.topic), (Command::Help, Some(Command::Torture)), "{line}");
        }
        assert_eq!(parse("demo serve --help").unwrap().rest, ["serve", "--help"]);
        assert!(parse("help torment").unwrap_err().contains("`torment`"));
    }

    #[test]
    fn unknown_arguments_go_to_the_program_that_is_started() {
        let options = parse("demo --wordnet data status 1 --offset 5").unwrap();
        assert_eq!(options.command, Command::Demo);
        assert_eq!(options.wordnet, WordNet::Directory("data".into()));
        assert_eq!(options.rest, ["status", "1", "--offset", "5"]);
    }

    /// The directory after `=` must be used by the set-up. It must not go to the demo while WordNet is set up from
    /// elsewhere.
    #[test]
    fn a_directory_may_stand_behind_an_equals_sign() {
        let options = parse("demo --wordnet=data status 1 --wordnets=x").unwrap();
        assert_eq!(options.wordnet, WordNet::Directory("data".into()));
        assert_eq!(options.rest, ["status", "1", "--wordnets=x"]);
    }

    #[test]
    fn commands_that_take_none_refuse_them() {
        assert!(parse("setup quickly").unwrap_err().contains("`quickly`"));
        assert_eq!(parse("ci rest page").unwrap().rest, ["rest", "page"]);
    }

    #[test]
    fn schedules_are_a_number() {
        let number = |line| schedules(&parse(line).unwrap().rest[1..]);
        assert_eq!(number("torture schedules"), Ok(100_000));
        assert_eq!(number("torture schedules 7"), Ok(7));
        assert!(number("torture schedules many").unwrap_err().contains("`many`"));
        assert!(number("torture schedules 7 --seed").unwrap_err().contains("`--seed`"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert!(parse("tset").unwrap_err().contains("`tset`"));
        assert!(parse("demo --wordnet").unwrap_err().contains("directory"));
        assert!(parse("demo --wordnet=").unwrap_err().contains("directory"));
    }
}
