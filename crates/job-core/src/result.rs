//! [`JobResult`]: a few named values and at most one list of rows.

use std::ops::Range;

use serde::Serialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{InvalidJson, JobSpec, ResultSize, append_json, wire::PAGE_NAMES};

/// The result of a finished job: named values that every page repeats, and at most one paged list.
///
/// The store has the rows; this value says in which segments they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobResult {
    /// The values, in the order they were given.
    pub outputs: Outputs,
    /// The list, if the job has one (it may be empty).
    pub list: Option<RowList>,
}

impl JobResult {
    /// Rows and bytes of the list; zero without one.
    #[must_use]
    pub fn size(&self) -> ResultSize {
        self.list.as_ref().map_or_else(ResultSize::default, RowList::size)
    }
}

/// Named values of a result, such as `runtime` or `modularity`: JSON, written once.
///
/// They are small, because every page repeats them: at most [`MAX`](Self::MAX) of them, with
/// [`MAX_BYTES`](Self::MAX_BYTES) in all. Longer values belong in the list. Names are compared one by one.
///
/// ```
/// use job_core::Outputs;
///
/// let mut outputs = Outputs::default();
/// outputs.insert("source", "Sarah")?;
/// outputs.insert("runtime", &0.25)?;
/// assert!(outputs.insert("source", "Sidney").is_err()); // a name is given once
/// assert!(outputs.insert("data_offset", &0).is_err()); // the page's own names are taken
/// # Ok::<(), job_core::InvalidOutput>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Outputs(Vec<(String, Box<RawValue>)>);

impl Outputs {
    /// The most values of a result.
    pub const MAX: usize = 1_000;
    /// The most bytes of all values together: their names and their JSON.
    pub const MAX_BYTES: usize = 1 << 20;
    /// The longest name of a value or a list, in bytes.
    pub const MAX_NAME: usize = JobSpec::MAX_NAME;

    /// Adds a value under a name of its own.
    ///
    /// # Errors
    /// When the name is taken or too long, when the value does not serialize, or when there are too many values or
    /// bytes.
    pub fn insert<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), InvalidOutput> {
        self.check_name(name)?;
        self.insert_json(name, Self::encode(name, value)?)
    }

    /// Serializes a value for [`insert_json`](Self::insert_json) under this name. The value's own code runs here,
    /// so a caller can run it before it takes a lock.
    ///
    /// # Errors
    /// When the value does not serialize, or is longer than all values of a result may be.
    pub fn encode<T: Serialize + ?Sized>(name: &str, value: &T) -> Result<Box<RawValue>, InvalidOutput> {
        let not_json = |reason| InvalidOutput::NotJson { name: name.to_owned(), reason };
        let mut json = Vec::new();
        append_json(&mut json, value, Self::MAX_BYTES).map_err(|error| match error {
            InvalidJson::TooLong => Self::too_long(name),
            InvalidJson::NotJson(reason) => not_json(reason),
            InvalidJson::NotFinite { .. } => not_json(error.to_string()),
        })?;
        let json = String::from_utf8(json).map_err(|error| not_json(error.to_string()))?;
        RawValue::from_string(json).map_err(|error| not_json(error.to_string()))
    }

    /// As [`insert`](Self::insert), of a value that is JSON already.
    ///
    /// # Errors
    /// When the name is taken or too long, or when there are too many values or too many bytes of them.
    pub fn insert_json(&mut self, name: &str, json: Box<RawValue>) -> Result<(), InvalidOutput> {
        self.check_name(name)?;
        if self.0.len() >= Self::MAX {
            return Err(InvalidOutput::TooMany { max: Self::MAX });
        }
        if self.bytes() + name.len() + json.get().len() > Self::MAX_BYTES {
            return Err(Self::too_long(name));
        }
        self.0.push((name.to_owned(), json));
        Ok(())
    }

    fn too_long(name: &str) -> InvalidOutput {
        InvalidOutput::TooLong { name: name.to_owned(), max: Self::MAX_BYTES }
    }

    fn bytes(&self) -> usize {
        self.iter().map(|(name, json)| name.len() + json.len()).sum()
    }

    /// Adds a value that is JSON already, unchecked: for stores that read back what [`insert`](Self::insert) checked.
    pub fn push_raw(&mut self, name: String, value: Box<RawValue>) {
        self.0.push((name, value));
    }

    /// Checks that `name` can still be given to a value or a list.
    ///
    /// # Errors
    /// When the name is taken or longer than [`MAX_NAME`](Self::MAX_NAME).
    pub fn check_name(&self, name: &str) -> Result<(), InvalidOutput> {
        Self::check_length(name)?;
        if PAGE_NAMES.contains(&name) || self.0.iter().any(|(taken, _)| taken == name) {
            return Err(InvalidOutput::NameTaken { name: name.to_owned() });
        }
        Ok(())
    }

    /// Checks that `name` is short enough for a value or a list.
    ///
    /// # Errors
    /// When the name is longer than [`MAX_NAME`](Self::MAX_NAME).
    pub const fn check_length(name: &str) -> Result<(), InvalidOutput> {
        if name.len() > Self::MAX_NAME {
            Err(InvalidOutput::NameTooLong { length: name.len(), max: Self::MAX_NAME })
        } else {
            Ok(())
        }
    }

    /// Every name and its JSON.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }
}

impl PartialEq for Outputs {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// A value or list that a result cannot take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidOutput {
    /// Another value, the list or the page itself uses the name.
    #[error("output {name:?} is already in use: give every value a name of its own")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The name is too long.
    #[error("the name of an output has {length} bytes: at most {max} are allowed")]
    NameTooLong {
        /// The length of the name in bytes.
        length: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// There are as many values as there may be.
    #[error("the result has {max} outputs, and no more are allowed: put what are many into the list")]
    TooMany {
        /// The most that are allowed.
        max: usize,
    },
    /// All values together have too many bytes.
    #[error(
        "with output {name:?} the outputs have more than {max} bytes, which is the most: put what is long into the list"
    )]
    TooLong {
        /// The name.
        name: String,
        /// The most bytes of all values together.
        max: usize,
    },
    /// The list has too many parts.
    #[error(
        "the list has more than {max} segments, which is the most: scan larger partitions, open fewer writers"
    )]
    TooManySegments {
        /// The most that are allowed.
        max: u32,
    },
    /// The attempt is over, and the engine takes no result of it any more.
    #[error("the attempt is over: the engine was shut down, and the job runs again after the next open")]
    AttemptOver,
    /// The value does not serialize.
    #[error("output {name:?} is not JSON: {reason}")]
    NotJson {
        /// The name.
        name: String,
        /// The error of the serializer.
        reason: String,
    },
    /// A result has one list.
    #[error("list {name:?} cannot be added: this result already pages {list:?}, and a result has one list")]
    SecondList {
        /// The name asked for.
        name: String,
        /// The name of the list that the job has.
        list: String,
    },
}

/// A run of rows that one worker wrote in order: rows `0..rows` under one key prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Segment {
    /// The attempt that wrote the segment.
    pub attempt: u32,
    /// The place of the segment among those of its attempt, from 0.
    pub number: u32,
    /// The number of rows in the segment.
    pub rows: u64,
    /// Bytes of JSON of the rows.
    pub bytes: u64,
}

/// The one paged list of a result: its name and its segments in row order.
///
/// ```
/// use job_core::{RowList, Segment};
///
/// let part = |number, rows| Segment { attempt: 1, number, rows, bytes: rows * 10 };
/// let list = RowList::new("vertices", vec![part(0, 5), part(1, 0), part(2, 7)]);
/// assert_eq!(list.rows(), 12);
/// let parts: Vec<_> = list.parts(3..6).map(|(segment, rows)| (segment.number, rows)).collect();
/// assert_eq!(parts, [(0, 3..5), (2, 0..1)]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowList {
    name: String,
    segments: Vec<Segment>,
    /// `ends[i]`: rows in segments `0..=i`, so that a row finds its segment by binary search.
    ends: Vec<u64>,
}

impl RowList {
    /// The most segments of a list: partitions of its scans, and writers opened.
    pub const MAX_SEGMENTS: u32 = 1 << 22;

    /// A list called `name` made of `segments` in this order.
    #[must_use]
    pub fn new(name: impl Into<String>, segments: Vec<Segment>) -> Self {
        let mut rows = 0u64;
        let ends = segments
            .iter()
            .map(|segment| {
                rows = rows.saturating_add(segment.rows);
                rows
            })
            .collect();
        Self { name: name.into(), segments, ends }
    }

    /// The key of the list in the payload, such as `vertices`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The segments in row order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Rows in all segments.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Rows and bytes in all segments.
    #[must_use]
    pub fn size(&self) -> ResultSize {
        let bytes = self.segments.iter().fold(0u64, |bytes, segment| bytes.saturating_add(segment.bytes));
        ResultSize { rows: self.rows(), bytes }
    }

    /// The pieces of `window`: segments in order, each with rows counted from its own start. Rows past the end
    /// are left out. Cost: log2 of the segments, then the segments touched.
    pub fn parts(&self, window: Range<u64>) -> impl Iterator<Item = (Segment, Range<u64>)> {
        let first = self.ends.partition_point(|&end| end <= window.start);
        let ends = self.ends.get(first..).unwrap_or_default().iter().copied();
        let segments = self.segments.get(first..).unwrap_or_default().iter().copied();
        segments
            .zip(ends)
            .map_while(move |(segment, end)| {
                let start = end - segment.rows;
                let rows = window.start.max(start)..window.end.min(end);
                (start < window.end).then(|| (segment, rows.start - start..rows.end.saturating_sub(start)))
            })
            .filter(|(_, rows)| !rows.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_the_window_in_order(
            counts in prop::collection::vec(0u64..20, 0..12), start in 0u64..100, length in 0u64..100,
        ) {
            let segments = counts.iter().zip(0u32..).map(|(&rows, number)| Segment { attempt: 1, number, rows, bytes: 0 });
            let list = RowList::new("rows", segments.collect());
            let every: Vec<(u32, u64)> =
                counts.iter().zip(0u32..).flat_map(|(&rows, number)| (0..rows).map(move |row| (number, row))).collect();
            prop_assert_eq!(list.rows(), every.len() as u64);
            let expected: Vec<(u32, u64)> = every.iter().copied()
                .skip(usize::try_from(start).unwrap()).take(usize::try_from(length).unwrap()).collect();
            let found: Vec<(u32, u64)> = list.parts(start..start + length)
                .flat_map(|(segment, rows)| rows.map(move |row| (segment.number, row))).collect();
            prop_assert_eq!(found, expected);
        }
    }

    /// In a damaged store the sizes of two segments may not fit a number together. Their sum must not panic.
    #[test]
    fn sizes_that_do_not_fit_a_number_are_the_greatest_one() {
        let huge = |number| Segment { attempt: 1, number, rows: u64::MAX, bytes: u64::MAX };
        let list = RowList::new("rows", vec![huge(0), huge(1)]);
        assert_eq!(list.size(), ResultSize { rows: u64::MAX, bytes: u64::MAX });
        assert!(list.parts(1..9).all(|(_, rows)| rows == (1..9)));
    }

    #[test]
    fn outputs_are_few_and_short() {
        let mut outputs = Outputs::default();
        for number in 0..Outputs::MAX {
            outputs.insert(&number.to_string(), &number).unwrap();
        }
        assert_eq!(outputs.insert("one more", &1), Err(InvalidOutput::TooMany { max: 1_000 }));
        let mut outputs = Outputs::default();
        let long = "n".repeat(257);
        assert_eq!(outputs.insert(&long, &1), Err(InvalidOutput::NameTooLong { length: 257, max: 256 }));
        outputs.insert(&long[1..], &1).unwrap();
        // 256 bytes of the name and one of the value are there; 1 of the name and 2 quotes are still to come.
        let value = "x".repeat(Outputs::MAX_BYTES - 260);
        assert!(matches!(outputs.insert("a", &format!("{value}x")), Err(InvalidOutput::TooLong { .. })));
        outputs.insert("a", &value).unwrap();
        let over = outputs.insert("b", &0).unwrap_err();
        assert!(
            over.to_string().starts_with("with output \"b\" the outputs have more than 1048576 bytes"),
            "{over}"
        );
    }

    /// A store may hold values from a version without limits, and they can still be read.
    #[test]
    fn outputs_that_are_stored_are_not_counted_again() {
        let mut outputs = Outputs::default();
        for number in 0..=Outputs::MAX {
            outputs.push_raw(number.to_string(), RawValue::NULL.to_owned());
        }
        assert_eq!(outputs.iter().count(), Outputs::MAX + 1);
    }

    #[test]
    fn an_output_that_is_no_json_says_so() {
        let mut outputs = Outputs::default();
        let keys = std::collections::HashMap::from([(vec![1u8], 1)]);
        let error = outputs.insert("bad", &keys).unwrap_err();
        assert!(matches!(error, InvalidOutput::NotJson { .. }), "{error}");
    }
}
