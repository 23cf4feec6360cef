//! [`Script`]: a job as data. Its rows and its end follow from it alone.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use job_runner::{
    Clock, Engine, JobContext, JobError, JobId, JobSpec, ManualClock, Page, PageRequest, Partition, ScanOptions,
    StoreError, Timestamp,
};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// The name of every script's list.
pub const LIST: &str = "vertices";

/// The steps of a job's body, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// A part of every row, so that rows of two jobs always differ.
    pub seed: u32,
    /// The steps, in this order.
    pub steps: Vec<Step>,
    /// How the body returns.
    pub end: End,
}

/// One step of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Writes this number of rows, through a writer of its own.
    Rows(u16),
    /// Scans that many ids in partitions of that size, and drops every third id.
    Scan(u16, u16),
    /// Sets a named value.
    Value,
    /// Saves a checkpoint for the next attempt.
    Save,
    /// Calls `check_stopped`.
    Checkpoint,
    /// Asks for the end of the job itself.
    Cancel,
    /// Lets this number of milliseconds pass.
    Pass(u32),
    /// Does the work that is due by the clock.
    Tick,
    /// Looks at the rows so far, as a reader beside the job does.
    Peek,
}

/// How a body returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The body succeeds.
    Well,
    /// The body returns an error of its own.
    Fail,
    /// The body returns a transient error in this number of attempts.
    Transient(u32),
    /// The body panics.
    Panic,
}

/// The JSON of row `number` of the job with this seed. Lengths differ from row to row.
#[must_use]
pub fn row(seed: u32, number: u64) -> String {
    let length = (number.wrapping_mul(2_654_435_761).wrapping_add(u64::from(seed)) >> 7) % 800;
    let pad: String = std::iter::repeat_n('p', usize::try_from(length).unwrap_or(0)).collect();
    format!(r#"{{"n":{number},"s":{seed},"p":"{pad}"}}"#)
}

/// The state that step `at` of an attempt saves.
#[must_use]
pub fn saved(attempt: u32, at: usize) -> Vec<u8> {
    format!("attempt {attempt}, step {at}").into_bytes()
}

/// The names of the rows that a scan of `ids` keeps.
fn scanned(base: u64, ids: u64) -> impl Iterator<Item = u64> {
    (0..ids).filter(|id| id % 3 != 0).map(move |id| base + id)
}

impl Step {
    /// Whether the step opens the list.
    #[must_use]
    pub const fn writes(&self) -> bool {
        matches!(self, Self::Rows(_) | Self::Scan(..))
    }

    /// Whether a failing store can make the step fail.
    #[must_use]
    pub const fn stores(&self) -> bool {
        self.writes() || matches!(self, Self::Save)
    }
}

impl Script {
    /// The numbers of the rows of an attempt that comes to its end, in order.
    #[must_use]
    pub fn rows(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        let mut base = 0;
        for step in &self.steps {
            match *step {
                Step::Rows(count) => {
                    numbers.extend(base..base + u64::from(count));
                    base += u64::from(count);
                }
                Step::Scan(ids, _) => {
                    numbers.extend(scanned(base, u64::from(ids)));
                    base += u64::from(ids);
                }
                _ => {}
            }
        }
        numbers
    }

    /// The request of a job that does this.
    #[must_use]
    pub fn spec(&self, kind: &str, graph: &str) -> JobSpec {
        JobSpec::algorithm(kind).with_graph(graph).with_parameters(self).expect("a script is JSON")
    }

    /// Any script; `largest` is the most rows of a step.
    pub fn any(largest: u16) -> impl Strategy<Value = Self> {
        let step = prop_oneof![
            6 => (0..=largest).prop_map(Step::Rows),
            2 => (0..=largest, 1..=largest.max(2)).prop_map(|(ids, size)| Step::Scan(ids, size)),
            1 => Just(Step::Value),
            2 => Just(Step::Save),
            3 => Just(Step::Checkpoint),
            1 => Just(Step::Cancel),
            2 => (0u32..20_000).prop_map(Step::Pass),
            1 => Just(Step::Tick),
            2 => Just(Step::Peek),
        ];
        let end = prop_oneof![
            6 => Just(End::Well),
            1 => Just(End::Fail),
            2 => (1u32..4).prop_map(End::Transient),
            1 => Just(End::Panic),
        ];
        (any::<u32>(), prop::collection::vec(step, 0..8), end).prop_map(|(seed, steps, end)| Self {
            seed,
            steps,
            end,
        })
    }
}

/// The surroundings of scripts: values that a body needs in addition to its context, and the values that it saw.
#[derive(Debug, Default)]
pub struct Stage {
    /// The clock that a script moves to let time pass. With `None`, no time passes.
    pub clock: Option<Arc<ManualClock>>,
    /// The engine that runs the scripts.
    pub engine: Mutex<Weak<Engine>>,
    /// Whether a body without a clock sleeps for a hundredth of each [`Step::Pass`], so that it takes some time.
    pub lasting: bool,
    /// Whether [`Step::Tick`] does nothing.
    pub muted: AtomicBool,
    /// The times at which bodies did the due work.
    pub ticks: Mutex<Vec<Timestamp>>,
    /// The faults that bodies have found.
    pub wrong: Mutex<Vec<String>>,
}

impl Stage {
    /// The handler of scripts.
    ///
    /// # Errors
    /// The error of the script's end, or of a step.
    pub fn play(&self, ctx: &mut JobContext) -> Result<(), JobError> {
        let script: Script = ctx.spec().parameters().read()?;
        let mut base = 0;
        for (at, step) in script.steps.iter().enumerate() {
            match *step {
                Step::Rows(count) => {
                    let mut rows = ctx.rows(LIST)?;
                    for number in base..base + u64::from(count) {
                        rows.push(&raw(script.seed, number))?;
                    }
                    base += u64::from(count);
                }
                Step::Scan(ids, size) => {
                    scan(ctx, script.seed, base, ids, size)?;
                    base += u64::from(ids);
                }
                Step::Value => ctx.set_output(&format!("value {at}"), &script.seed)?,
                Step::Save => ctx.save_checkpoint(&saved(ctx.attempt(), at))?,
                Step::Checkpoint => ctx.check_stopped()?,
                Step::Cancel => self.cancel(ctx.id()),
                Step::Pass(millis) => {
                    if let Some(clock) = &self.clock {
                        clock.advance(Duration::from_millis(u64::from(millis)));
                    } else if self.lasting {
                        std::thread::sleep(Duration::from_millis(u64::from(millis / 100)));
                    }
                }
                Step::Tick => self.tick(),
                Step::Peek => self.peek(ctx.id(), &script),
            }
        }
        match script.end {
            End::Fail => Err(JobError::failed("the script says so")),
            End::Transient(attempts) if ctx.attempt() <= attempts => Err(JobError::transient("not yet")),
            End::Well | End::Transient(_) => Ok(()),
            End::Panic => std::panic::resume_unwind(Box::new("the script panics")),
        }
    }

    /// The engine, unless it is being dropped.
    #[must_use]
    pub fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.lock().upgrade()
    }

    /// The time by the stage's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.as_ref().map_or_else(|| job_runner::SystemClock.now(), |clock| clock.now())
    }

    fn tick(&self) {
        if let Some(engine) = self.engine().filter(|_| !self.muted.load(Ordering::SeqCst)) {
            self.ticks.lock().push(self.now());
            // Failures of the store at this place have tests of their own.
            let _ = engine.driver().tick();
        }
    }

    fn cancel(&self, id: JobId) {
        if let Some(engine) = self.engine() {
            let _ = engine.cancel(id);
        }
    }

    /// Rows of a running job are the first rows of the whole, in their final places.
    fn peek(&self, id: JobId, script: &Script) {
        let Some(engine) = self.engine() else { return };
        let page = engine.job(id).and_then(|job| job.map(|job| job.page(PageRequest::default())).transpose());
        let Ok(Some(page)) = page else { return };
        if !page.is_partial() {
            self.wrong.lock().push(format!("the page of running job {id} does not say that it is partial"));
        }
        let rows = match rows(&page) {
            Ok(rows) => rows,
            Err(error) => return self.wrong.lock().push(format!("rows of running job {id}: {error}")),
        };
        let expected = script.rows();
        let right = rows.len() <= expected.len()
            && rows.iter().zip(&expected).all(|(found, &number)| *found == row(script.seed, number));
        if !right {
            self.wrong.lock().push(format!("rows of running job {id} are not the first rows of its result"));
        }
    }
}

/// The JSON of each row of a page.
///
/// # Errors
/// The errors of the store.
pub fn rows(page: &Page) -> Result<Vec<String>, StoreError> {
    let mut rows = Vec::new();
    page.for_each(|row| {
        rows.push(String::from_utf8(row.to_vec()).expect("a row is JSON"));
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })?;
    Ok(rows)
}

fn raw(seed: u32, number: u64) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(row(seed, number)).expect("a row is JSON")
}

fn scan(ctx: &JobContext, seed: u32, base: u64, ids: u16, size: u16) -> Result<(), JobError> {
    ctx.scan(
        LIST,
        0..u64::from(ids),
        ScanOptions::default().partition_size(u64::from(size)),
        move |part: &mut Partition<'_>| {
            part.check_stopped()?;
            for id in part.ids().filter(|id| id % 3 != 0) {
                part.push(&raw(seed, base + id))?;
            }
            Ok(())
        },
    )
}
