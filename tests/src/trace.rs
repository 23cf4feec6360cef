//! [`record`]: the calls of a process to the file system, in order (`strace`).
//!
//! A call takes effect at its end. A close, and the beginning of a sync, count from the beginning of the call.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, ErrorKind},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The calls that change or sync files. A recorded call that is not understood ends the test.
const CALLS: &str = "trace=openat,close,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fsync,\
    fdatasync,syncfs,sync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,sendfile,\
    copy_file_range,splice,dup,dup2,dup3";

/// A file descriptor.
pub type Fd = u64;
/// A thread of the process.
pub type Thread = u64;

/// A system call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the system")]
pub enum Call {
    Open {
        path: PathBuf,
        fd: Fd,
        create: bool,
        truncate: bool,
        append: bool,
    },
    Close {
        fd: Fd,
    },
    /// A write at the position of the file, unless `at` names the place.
    Write {
        thread: Thread,
        fd: Fd,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Seek {
        fd: Fd,
        position: u64,
    },
    SetLength {
        fd: Fd,
        length: u64,
    },
    SyncBegins {
        thread: Thread,
        fd: Fd,
    },
    SyncEnds {
        thread: Thread,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    MakeDirectory {
        path: PathBuf,
    },
    RemoveDirectory {
        path: PathBuf,
    },
}

/// Runs a program to its end, and passes every call to `each`.
///
/// `false` where `strace` is not installed or not allowed, with a line that says so.
///
/// # Errors
/// When the program or the record fails.
pub fn record(program: &mut Command, each: &mut dyn FnMut(Call)) -> io::Result<bool> {
    if !is_possible() {
        return Ok(false);
    }
    let directory = tempfile::tempdir()?;
    let trace = directory.path().join("trace");
    let mut strace = Command::new("strace");
    // With these options strace prints all strings in hexadecimal digits and cuts none short.
    strace.args(["-f", "-xx", "-s", "33554432", "-e", "signal=none", "-e", CALLS, "-o"]).arg(&trace);
    strace.arg(program.get_program()).args(program.get_args()).stdin(Stdio::null()).stdout(Stdio::null());
    let status = strace.status()?;
    if !status.success() {
        return Err(io::Error::other(format!("the recorded program failed: {status}")));
    }
    read(BufReader::new(File::open(trace)?), each)?;
    Ok(true)
}

/// Whether `strace` is installed and allowed; if not, with a line that says so.
#[must_use]
pub fn is_possible() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "true"]).stderr(Stdio::null());
    let possible = strace.status().is_ok_and(|status| status.success());
    if !possible {
        test_servers::skip("strace is not installed or not allowed (`sudo apt-get install strace`)");
    }
    possible
}

fn read(trace: impl BufRead, each: &mut dyn FnMut(Call)) -> io::Result<()> {
    let mut reader = Reader::default();
    for line in trace.lines() {
        let line = line?;
        reader.line(&line, each).ok_or_else(|| {
            let start: String = line.chars().take(200).collect();
            io::Error::new(ErrorKind::InvalidData, format!("a call that is not understood: {start}"))
        })?;
    }
    Ok(())
}

#[derive(Default)]
struct Reader {
    /// Calls that have begun and not ended.
    begun: HashMap<Thread, String>,
    /// Open directories: other names are given relative to them.
    directories: HashMap<Fd, PathBuf>,
}

impl Reader {
    fn line(&mut self, line: &str, each: &mut dyn FnMut(Call)) -> Option<()> {
        let (thread, call) = line.split_once(' ')?;
        let thread = thread.parse().ok()?;
        let call = call.trim_start();
        if call.starts_with("+++") || call.starts_with("---") {
            return Some(());
        }
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            self.begin(thread, begun, each)?;
            self.begun.insert(thread, begun.to_owned());
            return Some(());
        }
        if let Some(rest) = call.strip_prefix("<... ") {
            let (_, rest) = rest.split_once(" resumed>")?;
            let whole = self.begun.remove(&thread)? + rest;
            return self.end(thread, &whole, each);
        }
        self.begin(thread, call, each)?;
        self.end(thread, call, each)
    }

    fn begin(&mut self, thread: Thread, call: &str, each: &mut dyn FnMut(Call)) -> Option<()> {
        let (name, arguments) = call.split_once('(')?;
        match name {
            "close" => {
                let fd = number(arguments)?;
                self.directories.remove(&fd);
                each(Call::Close { fd });
            }
            "fsync" | "fdatasync" => each(Call::SyncBegins { thread, fd: number(arguments)? }),
            _ => {}
        }
        Some(())
    }

    fn end(&mut self, thread: Thread, call: &str, each: &mut dyn FnMut(Call)) -> Option<()> {
        // The end of the process interrupted a call whose answer is `?`.
        let (call, answer) = call.rsplit_once(" = ")?;
        if answer.starts_with('-') || answer.starts_with('?') {
            return Some(());
        }
        let answer = number(answer)?;
        let (name, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let argument = |at: usize| arguments.get(at).copied();
        let fd = || number(argument(0)?);
        let path = |at: usize| Some(PathBuf::from(std::ffi::OsString::from_vec(text(argument(at)?)?)));
        each(match name {
            "close" => return Some(()),
            "fsync" | "fdatasync" => Call::SyncEnds { thread },
            "openat" => {
                let (path, flags) = (self.relative(argument(0)?, path(1)?), argument(2)?);
                let has = |flag: &str| flags.split('|').any(|set| set == flag);
                if has("O_DIRECTORY") {
                    self.directories.insert(answer, path.clone());
                }
                let (create, truncate, append) = (has("O_CREAT"), has("O_TRUNC"), has("O_APPEND"));
                Call::Open { path, fd: answer, create, truncate, append }
            }
            "write" | "pwrite64" => {
                let at = argument(3).and_then(number);
                let mut bytes = text(argument(1)?)?;
                bytes.truncate(usize::try_from(answer).ok()?);
                Call::Write { thread, fd: fd()?, at, bytes }
            }
            "lseek" => Call::Seek { fd: fd()?, position: answer },
            "ftruncate" => Call::SetLength { fd: fd()?, length: number(argument(1)?)? },
            "rename" => Call::Rename { from: path(0)?, to: path(1)? },
            "link" => Call::Link { from: path(0)?, to: path(1)? },
            "linkat" => {
                let (from, to) = (self.relative(argument(0)?, path(1)?), self.relative(argument(2)?, path(3)?));
                Call::Link { from, to }
            }
            "unlink" => Call::Unlink { path: path(0)? },
            "unlinkat" => {
                let path = self.relative(argument(0)?, path(1)?);
                let is_directory = argument(2)? == "AT_REMOVEDIR";
                if is_directory { Call::RemoveDirectory { path } } else { Call::Unlink { path } }
            }
            "mkdir" => Call::MakeDirectory { path: path(0)? },
            "rmdir" => Call::RemoveDirectory { path: path(0)? },
            _ => return None,
        });
        Some(())
    }

    fn relative(&self, directory: &str, path: PathBuf) -> PathBuf {
        let base = number(directory).and_then(|fd| self.directories.get(&fd));
        base.map_or(path.clone(), |base| base.join(path))
    }
}

/// The number that a text begins with.
fn number(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().ok()
}

/// The bytes of `"\x61\x62"`; `None` when it was cut short.
fn text(argument: &str) -> Option<Vec<u8>> {
    let digits = argument.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    digits
        .chunks(4)
        .map(|byte| match byte {
            [b'\\', b'x', high, low] => Some(hex(*high)? << 4 | hex(*low)?),
            _ => None,
        })
        .collect()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The directory of a name.
#[must_use]
pub(crate) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(trace: &str) -> Vec<Call> {
        let mut calls = Vec::new();
        read(trace.as_bytes(), &mut |call| calls.push(call)).unwrap();
        calls
    }

    #[test]
    fn calls_of_two_threads_end_in_their_order() {
        let trace = "\
            7 openat(AT_FDCWD, \"\\x2f\\x61\", O_WRONLY|O_CREAT, 0644) = 3\n\
            7 write(3, \"\\x01\\xff\", 2 <unfinished ...>\n\
            8 fdatasync(3 <unfinished ...>\n\
            7 <... write resumed>) = 2\n\
            8 <... fdatasync resumed>)          = 0\n\
            7 unlink(\"\\x2f\\x62\") = -1 ENOENT (No such file or directory)\n\
            7 pwrite64(3, \"\\x05\\x06\", 2, 10) = 1\n\
            7 +++ exited with 0 +++\n";
        let open = Call::Open { path: "/a".into(), fd: 3, create: true, truncate: false, append: false };
        assert_eq!(
            calls(trace),
            [
                open,
                Call::SyncBegins { thread: 8, fd: 3 },
                Call::Write { thread: 7, fd: 3, at: None, bytes: vec![1, 255] },
                Call::SyncEnds { thread: 8 },
                Call::Write { thread: 7, fd: 3, at: Some(10), bytes: vec![5] },
            ]
        );
    }

    #[test]
    fn names_below_an_open_directory_are_whole() {
        let trace = "\
            7 openat(AT_FDCWD, \"\\x2f\\x64\", O_RDONLY|O_DIRECTORY) = 4\n\
            7 unlinkat(4, \"\\x66\", 0) = 0\n";
        assert_eq!(calls(trace)[1], Call::Unlink { path: "/d/f".into() });
    }

    #[test]
    fn a_call_that_is_not_known_is_an_error() {
        let outcome = read("7 copy_file_range(3, NULL, 4, NULL, 10, 0) = 10\n".as_bytes(), &mut |_| {});
        assert!(outcome.unwrap_err().to_string().contains("copy_file_range"));
    }
}
