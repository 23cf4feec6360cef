//! Groups RocksDB's files into units that are compiled at once, and estimates the remaining time.
//!
//! A file by itself takes eight seconds, nearly all of them for headers that the next file reads again. A unit
//! reads them once. With more units than cores, all cores are busy to the end; larger units take more memory.

use std::{fs, thread, time::Duration};

/// Files that are compiled alone, since their definitions would reach the files after them.
const APART: [(&str, &str); 2] = [
    ("util/xxhash.cc", "sets XXH_IMPLEMENTATION, by which a later look at xxhash.h would define it all again"),
    ("port/stack_trace.cc", "makes `gettid` a macro"),
];

/// Measured with gcc 12: a unit takes 40 to 70 s of a core and 1.2 to 1.8 GB. Its mean text is 1 MB.
const MEGABYTES_EACH: u64 = 2_000;
const UNITS_FOR_EACH_CORE: usize = 4;
const FEWEST_UNITS: usize = 8;
/// The number of units on a machine with little memory, where a unit takes some 700 MB.
const SMALL_UNITS: usize = 32;

/// The cost of a file besides its own text, in bytes of text.
const FILE: u64 = 10_000;
/// The cost of a unit besides its files, in bytes of text: the headers that all of them read.
const UNIT: u64 = 150_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// Files that are compiled at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) files: Vec<Source>,
}

impl Unit {
    /// A value in proportion to its compile time, approximately.
    pub(super) fn weight(&self) -> u64 {
        UNIT + self.files.iter().map(|file| file.bytes + FILE).sum::<u64>()
    }

    /// Each file by itself, for a unit that does not compile.
    pub(super) fn taken_apart(&self) -> Vec<Self> {
        self.files.iter().map(|file| Self { files: vec![file.clone()] }).collect()
    }
}

/// The machine's cores and memory for compilers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub(super) cores: usize,
    /// The memory that programs may still take; none where that is unknown.
    pub(super) megabytes: Option<u64>,
}

impl Machine {
    /// The cores and memory that this process may use.
    pub(super) fn this() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let free = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
        // The limit of a container, if there is one.
        let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
        let limit = limit.and_then(|bytes| bytes.trim().parse::<u64>().ok()).map(|bytes| bytes >> 20);
        Self { cores, megabytes: free.into_iter().chain(limit).min() }
    }

    /// How many compilers run at the same time.
    pub(super) fn jobs(self) -> usize {
        let room = |megabytes| usize::try_from(megabytes / MEGABYTES_EACH).unwrap_or(usize::MAX);
        self.cores.min(self.megabytes.map_or(usize::MAX, room)).max(1)
    }

    fn units(self) -> usize {
        if self.megabytes.is_some_and(|megabytes| megabytes < MEGABYTES_EACH) {
            return SMALL_UNITS;
        }
        FEWEST_UNITS.max(self.jobs() * UNITS_FOR_EACH_CORE)
    }
}

/// The line of `/proc/meminfo` about memory that programs may still take.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes >> 10)
}

/// All files in units for this machine, the longest first. Neighbours in the list stay together, in its order: they
/// read the same headers.
pub(super) fn plan(files: Vec<Source>, machine: Machine) -> Vec<Unit> {
    let is_apart = |file: &Source| APART.iter().any(|(name, _)| file.name.ends_with(name));
    let (apart, together): (Vec<_>, Vec<_>) = files.into_iter().partition(is_apart);
    let total: u64 = together.iter().map(|file| file.bytes + FILE).sum();
    let share = total.div_ceil(machine.units() as u64).max(1);
    let mut units: Vec<Unit> = Vec::new();
    let mut before = 0;
    let mut last = None;
    for file in together {
        let weight = file.bytes + FILE;
        let share_of_file = (before + weight / 2) / share;
        before += weight;
        match units.last_mut() {
            Some(unit) if last == Some(share_of_file) => unit.files.push(file),
            _ => units.push(Unit { files: vec![file] }),
        }
        last = Some(share_of_file);
    }
    units.extend(apart.into_iter().map(|file| Unit { files: vec![file] }));
    units.sort_by_key(|unit| std::cmp::Reverse(unit.weight()));
    units
}

/// The stage of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Running(Duration),
    Done(Duration),
}

/// The progress of all units, and the time that the rest takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) part: f64,
    pub(super) left: Duration,
}

/// The estimate by the finished units; `None` before the first.
#[expect(clippy::cast_precision_loss, reason = "weights are far below 2^52, and this is an estimate")]
pub(super) fn estimate(units: &[(u64, Stage)], jobs: usize) -> Option<Estimate> {
    let done = units.iter().filter_map(|(weight, stage)| match stage {
        Stage::Done(took) => Some((*weight, took.as_secs_f64())),
        _ => None,
    });
    let (weight, seconds) = done.fold((0, 0.0), |(weight, seconds), (w, s)| (weight + w, seconds + s));
    if weight == 0 || seconds <= 0.0 {
        return None;
    }
    let speed = weight as f64 / seconds;
    let left = |&(weight, stage): &(u64, Stage)| match stage {
        Stage::Waiting => weight as f64,
        // A running unit may take longer than the others, so it counts as unfinished until it ends.
        Stage::Running(took) => speed.mul_add(-took.as_secs_f64(), weight as f64).max(0.05 * weight as f64),
        Stage::Done(_) => 0.0,
    };
    let lefts: Vec<f64> = units.iter().map(left).collect();
    let (rest, longest) = (lefts.iter().sum::<f64>(), lefts.iter().copied().fold(0.0, f64::max));
    let total: u64 = units.iter().map(|(weight, _)| weight).sum();
    let seconds = (rest / speed / jobs as f64).max(longest / speed);
    Some(Estimate { part: 1.0 - rest / total as f64, left: Duration::from_secs_f64(seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(count: usize) -> Vec<Source> {
        (0..count).map(|number| Source { name: format!("rocksdb/db/f{number}.cc"), bytes: 23_000 }).collect()
    }

    fn machine(cores: usize, megabytes: u64) -> Machine {
        Machine { cores, megabytes: Some(megabytes) }
    }

    #[test]
    fn units_follow_cores_and_memory() {
        for (cores, megabytes, jobs, units) in [
            (2, 24_000, 2, 8),
            (1, 24_000, 1, 8),
            (16, 64_000, 16, 64),
            (16, 8_000, 4, 16),
            (8, 3_000, 1, 8),
            (2, 900, 1, 32),
        ] {
            let machine = machine(cores, megabytes);
            assert_eq!((machine.jobs(), plan(sources(342), machine).len()), (jobs, units), "{machine:?}");
        }
        assert_eq!(Machine { cores: 3, megabytes: None }.jobs(), 3);
    }

    #[test]
    fn memory_is_read_as_linux_tells_it() {
        assert_eq!(available("MemTotal:  4096 kB\nMemAvailable:   2048000 kB\n"), Some(2_000));
        assert_eq!(available(""), None);
    }

    #[test]
    fn every_file_is_in_one_unit_and_in_its_order() {
        for count in [0, 1, 7, 342] {
            let mut names: Vec<_> = plan(sources(count), machine(2, 24_000))
                .into_iter()
                .inspect(|unit| assert!(unit.files.is_sorted_by_key(|file| number(&file.name)), "{unit:?}"))
                .flat_map(|unit| unit.files)
                .collect();
            names.sort_by_key(|file| number(&file.name));
            assert_eq!(names, sources(count));
        }
    }

    fn number(name: &str) -> u32 {
        name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
    }

    #[test]
    fn a_large_file_makes_no_empty_unit() {
        let mut files = sources(20);
        files.insert(3, Source { name: "rocksdb/db/c.cc".to_owned(), bytes: 5_000_000 });
        let units = plan(files, machine(2, 24_000));
        assert!(units.iter().all(|unit| !unit.files.is_empty()));
        assert!(units.is_sorted_by(|one, next| one.weight() >= next.weight()), "the longest comes first");
    }

    #[test]
    fn a_file_that_defines_for_others_is_by_itself() {
        let mut files = sources(20);
        files.insert(4, Source { name: "rocksdb/util/xxhash.cc".to_owned(), bytes: 1 });
        let units = plan(files, machine(2, 24_000));
        let unit = units.iter().find(|unit| unit.files.iter().any(|file| file.name.contains("xxhash"))).unwrap();
        assert_eq!(unit.files.len(), 1);
    }

    #[test]
    fn what_is_left_is_measured_by_what_is_done() {
        use Stage::{Done, Running, Waiting};
        let s = Duration::from_secs;
        let left = |units: &[(u64, Stage)], jobs| estimate(units, jobs).map(|estimate| estimate.left.as_secs());
        for (units, jobs, seconds) in [
            (vec![(100, Waiting), (100, Running(s(5)))], 2, None),
            (vec![(100, Done(s(10))), (100, Waiting), (100, Waiting)], 2, Some(10)),
            (vec![(100, Done(s(10))), (100, Running(s(5))), (100, Waiting)], 1, Some(15)),
            // One compiler has the last unit, and the other cores are idle.
            (vec![(100, Done(s(10))), (100, Waiting)], 8, Some(10)),
            // The unit takes longer than estimated.
            (vec![(100, Done(s(20))), (100, Running(s(90)))], 2, Some(1)),
            (vec![(100, Done(s(20))), (100, Done(s(20)))], 2, Some(0)),
        ] {
            assert_eq!(left(&units, jobs), seconds, "{units:?}");
        }
        let half = estimate(&[(100, Done(s(10))), (100, Waiting)], 2).unwrap();
        assert!((half.part - 0.5).abs() < 1e-9, "{half:?}");
    }
}
