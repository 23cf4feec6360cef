//! Several processes that begin to work on one database at the same moment.
//!
//! Each process prints `ready` when it is set up, and begins when it reads a line. A process that submits ends
//! after its last submission. A process that runs jobs prints the number of its jobs whenever it has changed, and
//! ends with its standard input.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{self, Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// How long a team may take.
const PATIENCE: Duration = Duration::from_secs(100);

/// Processes that are set up and wait for the line that starts them.
#[derive(Debug)]
pub struct Team {
    members: Vec<Member>,
    said: Receiver<(usize, Option<String>)>,
}

#[derive(Debug)]
struct Member {
    child: Child,
    stdin: ChildStdin,
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Team {
    /// Starts the processes, and returns when all are ready.
    ///
    /// # Errors
    /// When a process cannot be started or is not ready in time.
    pub fn start(commands: Vec<Command>) -> Result<Self> {
        let (send, said) = mpsc::channel();
        let mut members = Vec::new();
        for (number, mut command) in commands.into_iter().enumerate() {
            let mut child =
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("start a process")?;
            let stdin = child.stdin.take().context("a pipe to it")?;
            let stdout = child.stdout.take().context("a pipe from it")?;
            let send = send.clone();
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = send.send((number, Some(line)));
                }
                let _ = send.send((number, None));
            });
            members.push(Member { child, stdin });
        }
        let team = Self { members, said };
        let until = Instant::now() + PATIENCE;
        for _ in 0..team.members.len() {
            let (_, line) = team.hear(until)?;
            ensure!(line.as_deref() == Some("ready"), "a process was not ready: {line:?}");
        }
        Ok(team)
    }

    /// Starts the work. Returns the seconds until all processes have ended.
    ///
    /// # Errors
    /// When a process fails or is late.
    pub fn submit(mut self) -> Result<f64> {
        let start = self.go()?;
        let (mut left, until) = (self.members.len(), start + PATIENCE);
        while left > 0 {
            if self.hear(until)?.1.is_none() {
                left -= 1;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        for member in &mut self.members {
            ensure!(member.child.wait()?.success(), "a process failed");
        }
        Ok(seconds)
    }

    /// Starts the work. Returns the seconds until the processes have run `jobs` jobs together and `done` is true.
    ///
    /// # Errors
    /// When a process ends early, or the jobs are late.
    pub fn drain(mut self, jobs: usize, mut done: impl FnMut() -> Result<bool>) -> Result<f64> {
        let start = self.go()?;
        let until = start + PATIENCE;
        let mut ran = vec![0; self.members.len()];
        while ran.iter().sum::<usize>() < jobs {
            let (number, line) = self.hear(until)?;
            let Some(count) = line.and_then(|line| line.parse().ok()) else { bail!("a process has ended") };
            if let Some(ran) = ran.get_mut(number) {
                *ran = count;
            }
        }
        while !done()? {
            ensure!(Instant::now() < until, "the jobs were not done after {} s", PATIENCE.as_secs());
            thread::sleep(Duration::from_millis(1));
        }
        Ok(start.elapsed().as_secs_f64())
    }

    fn go(&mut self) -> Result<Instant> {
        let start = Instant::now();
        for member in &mut self.members {
            member.stdin.write_all(b"go\n").context("tell a process to begin")?;
        }
        Ok(start)
    }

    fn hear(&self, until: Instant) -> Result<(usize, Option<String>)> {
        let rest = until.saturating_duration_since(Instant::now());
        self.said.recv_timeout(rest).with_context(|| format!("nothing was heard for {} s", PATIENCE.as_secs()))
    }
}

/// For a process of a team: reports that it is set up, and waits for the line that starts it.
///
/// # Errors
/// When the standard input cannot be read.
pub fn ready() -> Result<()> {
    println!("ready");
    Ok(io::stdin().read_line(&mut String::new()).map(drop)?)
}

/// For a process of a team: prints how many jobs it has run until its standard input ends, then ends the process.
pub fn tell(ran: &AtomicUsize) -> ! {
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        process::exit(0);
    });
    let mut told = 0;
    loop {
        let now = ran.load(Ordering::Relaxed);
        if now != told {
            println!("{now}");
            told = now;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
