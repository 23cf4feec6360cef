//! Laws about rows that a store packs, or not: they hold for every [`Packing`](crate::Packing).

use std::{collections::BTreeSet, ops::ControlFlow};

use super::{Broken, Fixture, at, key, list, running, succeed};
use crate::{BlockBuilder, Durability, SegmentKey, Store, verify};

law! { Fixture;
    /// A page is the slice of the whole, also where rows cross the parts of a block that is packed part by part.
    [Read]
    fn every_page_of_a_large_block_is_the_slice_of_its_rows(store) {
        let running = running(store, 1)?;
        let key = key(&running, 0);
        let mut rows: Vec<_> = (0..2_000).map(|n| format!("{{\"id\":\"vertex {n}\",\"label\":\"user\"}}")).collect();
        rows.push(noise(90_000, 1));
        rows.extend((0..3_000).map(|n| n.to_string()));
        rows.push(format!("\"{}\"", "Sarah ".repeat(40_000)));
        rows.push(noise(70, 2));
        let mut block = BlockBuilder::new(key);
        // The last block has many short rows, and no other.
        let blocks = [&rows[..], &vec!["7".to_owned(); 5_000]];
        let mut writer = store.segment(key)?;
        for rows in blocks {
            rows.iter().try_for_each(|row| block.push_json_unchecked(row.as_bytes()))?;
            writer.append(block.seal())?;
        }
        let rows = blocks.concat();
        let segment = writer.finish()?;
        assert_eq!(segment.rows, 10_003);
        let all = rows.len();
        let starts = [0, 1, 1_300, 1_999, 2_000, 2_001, 4_999, 5_001, 5_002, 5_003, 9_000, all - 1];
        let lengths = [1, 10, 2_500, all];
        let pages: BTreeSet<_> =
            starts.iter().flat_map(|from| lengths.map(|length| (*from, (from + length).min(all)))).collect();
        for (from, to) in pages {
            is_slice(store, key, &rows, from, to)?;
        }
    }

    /// The longest row there may be has a place, with short ones around it, whether it shrinks or not.
    [Read]
    fn the_longest_row_is_read_back(store) {
        let running = running(store, 1)?;
        let key = key(&running, 0);
        // LZ4 sees no repetition so far back.
        let chunk = noise(70_000, 3);
        let text = chunk.trim_matches('"').repeat(BlockBuilder::MAX_ROW / (chunk.len() - 2) + 1);
        let incompressible = format!("\"{}\"", text.get(..BlockBuilder::MAX_ROW - 2).unwrap_or_default());
        let shrinks = format!("\"{}\"", "Sarah".repeat(BlockBuilder::MAX_ROW / 5 - 1));
        let rows = ["1".to_owned(), incompressible, "2".to_owned(), shrinks, "3".to_owned()];
        let (mut writer, mut block) = (store.segment(key)?, BlockBuilder::new(key));
        for row in &rows {
            block.push_json_unchecked(row.as_bytes())?;
            if block.bytes() > BlockBuilder::BYTES {
                writer.append(block.seal())?;
            }
        }
        writer.append(block.seal())?;
        writer.finish()?;
        for (from, to) in [(0, 5), (0, 1), (1, 2), (2, 4), (4, 5)] {
            is_slice(store, key, &rows, from, to)?;
        }
    }

    /// Rows that no packing makes shorter are read as they were written, beside those that it does.
    [StoredBytes]
    fn rows_that_do_not_shrink_are_read_back(store) {
        let running = running(store, 1)?;
        let key = key(&running, 0);
        let row = |n: u64| match n % 3 {
            0 => noise(9_000, n + 1),
            1 => format!("\"{}\"", "Sid".repeat(3_000)),
            _ => n.to_string(),
        };
        let rows: Vec<_> = (0..60).map(row).collect();
        let (mut writer, mut block) = (store.segment(key)?, BlockBuilder::new(key));
        for (at, row) in rows.iter().enumerate() {
            block.push_json_unchecked(row.as_bytes())?;
            // Blocks of one row, of several, and of many.
            if [1, 2, 3, 9, 10, 40, 60].contains(&(at + 1)) {
                writer.append(block.seal())?;
            }
        }
        let stored = writer.stored_bytes();
        let result = list(vec![writer.finish()?]);
        succeed(store, &running, at(9), &result, Durability::Synced)?;
        for (from, to) in [(0, 60), (0, 1), (2, 4), (3, 9), (8, 11), (30, 60), (59, 60)] {
            is_slice(store, key, &rows, from, to)?;
        }
        let mut findings = Vec::new();
        let seen = verify(store, &mut |finding| findings.push(finding))?;
        assert_eq!((seen.blocks, seen.rows, findings), (7, 60, Vec::new()));
        assert_eq!(seen.bytes, result.size().bytes);
        assert!([0, seen.stored_bytes].contains(&stored), "{stored} bytes are counted, {} there", seen.stored_bytes);
    }
}

/// A row of this many bytes in which nothing repeats for long.
fn noise(length: usize, seed: u64) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // 64 characters, of which no quotation mark and no backslash.
        char::from(b'#' + u8::try_from(state >> 58).unwrap_or_default() % 57)
    };
    let text: String = (0..length.saturating_sub(2)).map(|_| next()).collect();
    format!("\"{text}\"")
}

/// Reads a page in each way, and compares it with the rows.
fn is_slice(store: &dyn Store, key: SegmentKey, rows: &[String], from: usize, to: usize) -> Result<(), Broken> {
    let (mut appended, mut joined, mut found) = (Vec::new(), Vec::new(), Vec::new());
    store.read(key, from as u64..to as u64, &mut |run| {
        let unpacked = run.unpack()?;
        let comma = if found.is_empty() { &b""[..] } else { b"," };
        found.extend(unpacked.iter().map(<[u8]>::to_vec));
        joined.extend_from_slice(comma);
        joined.extend_from_slice(unpacked.json());
        appended.extend_from_slice(comma);
        run.append_to(&mut appended)?;
        Ok(ControlFlow::Continue(()))
    })?;
    let expected = rows.get(from..to).unwrap_or_default();
    assert!(found.iter().eq(expected.iter().map(String::as_bytes)), "rows {from}..{to}");
    assert!(joined == expected.join(",").as_bytes() && appended == joined, "the JSON of rows {from}..{to}");
    Ok(())
}
