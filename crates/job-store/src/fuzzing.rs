//! The checks of the fuzz targets of this crate and of `job-core`. Not part of the API: the feature is for `fuzz/` and
//! for the test that runs the same functions without a fuzzer.
//!
//! Any bytes must give a value or an error, never a panic, a hang or an allocation without relation to their
//! length. A value must be the same after it was written and read again.

use job_core::{JobId, JobRecord, JobSpec, Timestamp};

use crate::{
    Block, BlockBuilder, Packing, Rows, SegmentKey, codec,
    contract::{self, Cut, Packer},
    key_value::keys,
};

/// The check of an input.
pub type Body = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Body); 8] = [
    ("record", record),
    ("result", result),
    ("checkpoint", checkpoint),
    ("failures", failures),
    ("block", block),
    ("packed_block", packed_block),
    ("keys", keys),
    ("job_spec", job_spec),
];

/// A stored record: the bytes as they are, and as the body of an envelope of each version whose checksum is right.
pub fn record(data: &[u8]) {
    let _ = codec::decode_record(JobId::MIN, data);
    let (id, data) = id_and_rest(data);
    for sealed in codec::envelopes(codec::RECORD, &[id.as_bytes(), data].concat()) {
        let Ok(record) = codec::decode_record(id, &sealed) else { continue };
        let again = codec::encode_record(&record);
        assert_eq!(codec::decode_record(id, &again).as_ref(), Ok(&record), "a record changed on its way");
        let _ = record.spec.check();
        let _ = contract::work_hash(&record.spec);
    }
}

/// A stored result, likewise.
pub fn result(data: &[u8]) {
    let _ = codec::decode_result(JobId::MIN, data);
    let (id, data) = id_and_rest(data);
    let [sealed, ..] = codec::envelopes(codec::RESULT, &[id.as_bytes(), data].concat());
    if let Ok(result) = codec::decode_result(id, &sealed) {
        let again = codec::encode_result(id, &result);
        assert_eq!(codec::decode_result(id, &again).as_ref(), Ok(&result), "a result changed on its way");
        let rows = result.size().rows;
        if let Some(list) = &result.list {
            for window in [0..rows, rows / 2..rows, 0..1, rows..u64::MAX] {
                assert!(
                    list.parts(window).all(|(segment, rows)| rows.start < rows.end && rows.end <= segment.rows)
                );
            }
        }
    }
}

/// A stored checkpoint, likewise.
pub fn checkpoint(data: &[u8]) {
    let _ = codec::decode_checkpoint(JobId::MIN, data);
    let (id, data) = id_and_rest(data);
    assert_eq!(codec::decode_checkpoint(id, &codec::encode_checkpoint(id, data)), Ok(data));
}

/// Stored failed attempts, likewise.
pub fn failures(data: &[u8]) {
    let _ = codec::decode_failures(JobId::MIN, data);
    let (id, data) = id_and_rest(data);
    let [sealed, ..] = codec::envelopes(codec::FAILURES, &[id.as_bytes(), data].concat());
    if let Ok(failed) = codec::decode_failures(id, &sealed) {
        let again = codec::encode_failures(id, &failed);
        assert_eq!(codec::decode_failures(id, &again).as_ref(), Ok(&failed), "attempts changed on their way");
    }
}

/// A block as it comes from a store, damaged anywhere; and a block of rows made of the same bytes.
pub fn block(data: &[u8]) {
    let (numbers, bytes) = numbers::<4>(data);
    let [end, start, length, row] = numbers;
    let key = SegmentKey { job: JobId::MIN, attempt: 1, number: 0 };
    let wanted = start..start.saturating_add(length);
    if let Ok(Some(Cut { rows, first, next })) = contract::cut(key, end, bytes, &wanted) {
        assert!(first <= start && next <= end && next <= wanted.end, "rows {wanted:?} end at {next}");
        let _ = unpacked(&rows);
    }
    if let Ok(block) = Block::parse(bytes) {
        let _ = block.verify(key, start);
        let row = usize::try_from(row).unwrap_or(usize::MAX);
        let _ = block.rows(row.min(block.len())..block.len()).map(|rows| unpacked(&rows));
    }
    packed(key, bytes);
}

/// A packed block whose lengths may be true or not: any bytes as its parts and its row table.
pub fn packed_block(data: &[u8]) {
    let ([rows, width, table, start, length, parts], mut data) = numbers::<6>(data);
    let mut lengths = Vec::new();
    let whole = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (rows, table, parts) = (whole(rows), whole(table), whole(parts) % 5);
    let mut stored_in_all = 0_u32;
    for part in 1..=parts {
        let ([stored, unpacked], rest) = numbers::<2>(data);
        data = rest;
        // The last part has what is left, so that the sum is right more often than not.
        let left = whole(rest.len() as u64).saturating_sub(table).saturating_sub(stored_in_all);
        let stored = if part == parts { left } else { whole(stored) };
        stored_in_all = stored_in_all.saturating_add(stored);
        lengths.extend([stored, whole(unpacked)].map(u32::to_be_bytes));
    }
    let width = u8::try_from(width).unwrap_or(u8::MAX);
    let tail = [table.to_be_bytes(), parts.to_be_bytes(), [width, 1, 0, 0]].concat();
    let tail = tail.get(..10).unwrap_or_default();
    let bytes = [data, &lengths.concat(), tail, &rows.to_be_bytes(), &[2], &[0; 8]].concat();
    let key = SegmentKey { job: JobId::MIN, attempt: 1, number: 0 };
    let Ok(block) = Block::parse(&bytes) else { return };
    // LZ4 packs 255 bytes into one at most.
    assert!(block.json_bytes() <= bytes.len() * 255 && block.len() <= bytes.len() * 255);
    let all = block.rows(0..block.len()).map(|rows| unpacked(&rows));
    if matches!(all, Ok(Some(_))) {
        for row in 0..block.len().min(50) {
            assert!(block.rows(row..row + 1).is_ok_and(|rows| unpacked(&rows).is_some()), "row {row} alone");
        }
    }
    let wanted = start..start.saturating_add(length);
    if let Ok(Some(Cut { rows: run, first, next })) = contract::cut(key, rows.into(), &bytes, &wanted) {
        assert!(first == 0 && next <= u64::from(rows) && next <= wanted.end);
        let _ = unpacked(&run);
    }
}

/// The bytes of all rows, if they can be unpacked. Appended to something they are the same, and an error leaves that alone.
fn unpacked(rows: &Rows<'_>) -> Option<usize> {
    let mut appended = b"[".to_vec();
    let Ok(run) = rows.unpack() else {
        assert!(rows.append_to(&mut appended).is_err() && appended == b"[");
        return None;
    };
    assert!(rows.append_to(&mut appended).is_ok_and(|()| appended.get(1..) == Some(run.json())));
    assert_eq!(run.iter().count(), rows.len());
    Some(run.iter().map(<[u8]>::len).sum())
}

/// The pieces of `bytes` as rows of a block that is written and read again.
fn packed(key: SegmentKey, bytes: &[u8]) {
    let mut builder = BlockBuilder::new(key);
    let texts: Vec<_> = bytes.split(|byte| *byte == b'\n').map(String::from_utf8_lossy).collect();
    for text in &texts {
        assert!(builder.push(text).is_ok(), "text is JSON");
    }
    let sealed = builder.seal();
    for bytes in [sealed.bytes, Packer::new(Packing::Lz4).pack(sealed).bytes] {
        let Ok(block) = Block::parse(bytes) else { unreachable!("a block that was just sealed") };
        assert_eq!((block.verify(key, 0), block.json_bytes() as u64), (Ok(()), sealed.json_bytes));
        let rows = block.rows(0..texts.len()).and_then(|rows| rows.unpack());
        assert!(rows.is_ok_and(|rows| {
            rows.iter()
                .zip(&texts)
                .all(|(row, text)| serde_json::from_slice::<String>(row).is_ok_and(|read| read == **text))
        }));
    }
}

/// Keys of every table: the values that are read from a key are those that made it, and keys sort as their values
/// do.
pub fn keys(data: &[u8]) {
    const GROUPS: [u8; 6] =
        [keys::RECORD, keys::RESULT, keys::UNFINISHED, keys::LAST_READ, keys::PINNED, keys::DROPPED];
    if let Some((segment, end)) = SegmentKey::of_block(data) {
        assert_eq!(segment.block_key(end), data);
        assert!(keys::blocks_until(segment.job, segment.attempt).contains(&data.to_vec()));
    }
    if let Some((job, attempt)) = keys::of_dropped(data) {
        assert_eq!(keys::dropped(job, attempt).get(1..), data.get(1..21));
    }
    let (one, rest) = block_place(data);
    let (other, rest) = block_place(rest);
    let [a, b] = [&one, &other].map(|(segment, end)| segment.block_key(*end));
    assert_eq!(a.cmp(&b), one.cmp(&other), "keys sort as segments and rows");
    for group in GROUPS {
        let of_group = keys::group(group);
        assert!(of_group.start < of_group.end && keys::key(group, one.0.job).starts_with(&of_group.start));
        assert_eq!(keys::id(&keys::key(group, one.0.job)), Some(one.0.job));
        assert!(!keys::key(group, one.0.job).starts_with(keys::FORMAT));
    }
    assert_eq!(keys::id(&keys::work(*one.0.job.as_bytes())), Some(one.0.job));
    let text = String::from_utf8_lossy(rest);
    let mut parts = text.split('\n');
    let [graph, key, other_graph, other_key] = [(); 4].map(|()| parts.next().unwrap_or_default());
    let same = keys::idempotency(graph, key) == keys::idempotency(other_graph, other_key);
    assert_eq!(same, (graph, key) == (other_graph, other_key), "two names share a key");
}

/// A job as JSON.
pub fn job_spec(data: &[u8]) {
    let Ok(spec) = serde_json::from_slice::<JobSpec>(data) else { return };
    let text = serde_json::to_string(&spec).unwrap_or_default();
    assert_eq!(serde_json::from_str::<JobSpec>(&text).ok().as_ref(), Some(&spec), "a spec changed on its way");
    let _ = spec.parameters().read::<serde_json::Value>();
    assert!(spec.is_same_work(&spec) || spec.options().graph_version.is_none());
    if spec.check().is_ok() {
        let record = JobRecord::waiting(JobId::MIN, spec, Timestamp::default());
        assert_eq!(codec::decode_record(JobId::MIN, &codec::encode_record(&record)), Ok(record));
    }
}

fn id_and_rest(data: &[u8]) -> (JobId, &[u8]) {
    data.split_first_chunk().map_or((JobId::MIN, data), |(id, rest)| (JobId::from_bytes(*id), rest))
}

/// Small numbers are as likely as large ones: a byte says how many bytes the number has.
fn numbers<const N: usize>(mut data: &[u8]) -> ([u64; N], &[u8]) {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let Some((length, rest)) = data.split_first() else { break };
        let (bytes, rest) = rest.split_at(usize::from(length % 9).min(rest.len()));
        *number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        data = rest;
    }
    (numbers, data)
}

fn block_place(data: &[u8]) -> ((SegmentKey, u64), &[u8]) {
    let (id, data) = id_and_rest(data);
    let ([attempt, number, end], data) = numbers(data);
    let [attempt, number] = [attempt, number].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    ((SegmentKey { job: id, attempt, number }, end), data)
}
