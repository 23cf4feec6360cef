//! Short ids for people: the end of an id, as long as it takes to be unique.

use std::error::Error;
use std::ops::ControlFlow;

use job_runner::{InvalidJobId, JobFilter, JobId, job_core::shown};

use super::{
    exit::{Exit, Mistake},
    source::Source,
};

/// The fewest characters that are shown.
const SHORTEST: usize = 8;

/// The fewest characters of an end that a command accepts.
const FEWEST: usize = 4;

/// How many ids an error names when an end is not unique.
const NAMED: usize = 5;

/// The ends of `shown`, all of one length at which each is unique among `all`. The beginning of an id is its time,
/// which jobs of one minute share.
pub(super) fn short(shown: &[JobId], all: &[JobId]) -> Vec<String> {
    let mut backwards: Vec<String> = shown.iter().chain(all).map(|id| backwards(*id)).collect();
    backwards.sort_unstable();
    backwards.dedup();
    let length = shown.iter().map(|id| distinct(&backwards, *id)).max().unwrap_or(0);
    shown.iter().map(|id| end(&id.to_string(), length.max(SHORTEST)).to_owned()).collect()
}

fn backwards(id: JobId) -> String {
    id.to_string().chars().rev().collect()
}

/// How many characters of the end distinguish this id from its neighbours in the order of ends.
fn distinct(sorted: &[String], id: JobId) -> usize {
    let own = backwards(id);
    let place = sorted.partition_point(|other| *other < own);
    let before = place.checked_sub(1).and_then(|before| sorted.get(before));
    let beside = before.into_iter().chain(sorted.get(place + 1));
    beside.map(|other| common(&own, other) + 1).max().unwrap_or(0)
}

fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// The last characters. One more if the first would be a hyphen, which begins an option.
fn end(id: &str, length: usize) -> &str {
    let from = id.len().saturating_sub(length);
    let from = if id.get(from..).is_some_and(|end| end.starts_with('-')) { from - 1 } else { from };
    id.get(from..).unwrap_or(id)
}

/// The job with this id or with this end of an id; `None` if there is none.
pub(super) fn find(source: &dyn Source, text: &str) -> Result<Option<JobId>, Box<dyn Error>> {
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    if !is_end(text) {
        return Ok(None);
    }
    let mut found = Vec::new();
    source.each(&JobFilter::default(), &mut |job| {
        if job.id.to_string().ends_with(text) {
            found.push(job.id);
        }
        ControlFlow::Continue(())
    })?;
    match found.as_slice() {
        [] => Ok(None),
        [id] => Ok(Some(*id)),
        several => Err(Mistake::new(Exit::Usage, ambiguous(text, several)).into()),
    }
}

/// As [`find`], with an error if there is no such job.
pub(super) fn resolve(source: &dyn Source, text: &str) -> Result<JobId, Box<dyn Error>> {
    match find(source, text)? {
        Some(id) => Ok(id),
        None if is_end(text) => {
            Err(Mistake::new(Exit::NotFound, format!("there is no job whose id ends with {text}")).into())
        }
        None => Err(InvalidJobId { text: shown(text).to_owned() }.into()),
    }
}

fn is_end(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    text.len() >= FEWEST && text.bytes().all(is_digit)
}

fn ambiguous(text: &str, ids: &[JobId]) -> String {
    let named: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    let more = match ids.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and of {more} more"),
    };
    format!("{text} is the end of {}{more}: give more of it", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> JobId {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_is_shown_by_as_much_of_its_end_as_is_its_own() {
        let a = id("018bcfe5-6800-7000-8000-0123456789ab");
        let b = id("018bcfe5-6801-7000-8000-0123456789ab");
        let c = id("018bcfe5-6802-7000-8000-0123f56789ab");
        let d = id("018bcfe5-6803-7000-8001-0123456789ab");
        for (shown, all, expected) in [
            (&[a][..], &[][..], &["456789ab"][..]),
            (&[a], &[a], &["456789ab"]),
            (&[c], &[a, b, c], &["f56789ab"]),
            (&[c, a], &[c, a], &["f56789ab", "456789ab"]),
            // Twelve characters are the same, and the thirteenth is a hyphen.
            (&[a], &[d], &["0-0123456789ab"]),
            (&[a, b], &[], &["0-7000-8000-0123456789ab", "1-7000-8000-0123456789ab"]),
        ] {
            assert_eq!(short(shown, all), expected);
        }
    }

    #[test]
    fn an_end_of_several_ids_names_them() {
        let ids: Vec<JobId> =
            (0..7).map(|time| id(&format!("018bcfe5-680{time}-7000-8000-0123456789ab"))).collect();
        assert_eq!(
            ambiguous("89ab", &ids[..2]),
            "89ab is the end of 018bcfe5-6800-7000-8000-0123456789ab, 018bcfe5-6801-7000-8000-0123456789ab: give \
             more of it"
        );
        assert!(ambiguous("89ab", &ids).ends_with(" and of 2 more: give more of it"));
    }

    #[test]
    fn what_is_no_end_of_an_id_is_told_from_what_is() {
        for (text, expected) in [
            ("89ab", true),
            ("9ab", false),
            ("0-0123456789ab", true),
            ("not an id", false),
            ("89AB", false),
            ("", false),
        ] {
            assert_eq!(is_end(text), expected, "{text}");
        }
    }
}
