//! [`Rows`]: a run of rows inside one block.

use std::{borrow::Cow, ops::Range};

use super::{
    ENTRY, InvalidBlock,
    packed::{Lengths, Packed},
    position,
};

/// A run of rows inside one block, borrowed from the store.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Plain(Plain<'a>),
    Packed { block: Packed<'a>, from: usize, to: usize },
}

/// Rows as they lie in a block that is not packed.
#[derive(Debug, Clone, Copy)]
struct Plain<'a> {
    json: &'a [u8],
    starts: &'a [[u8; ENTRY]],
    base: usize,
}

impl<'a> Rows<'a> {
    /// No row.
    pub(super) const fn none() -> Self {
        Self::plain(&[], &[], 0)
    }

    /// Rows from the byte `base` of their block on.
    pub(super) const fn plain(json: &'a [u8], starts: &'a [[u8; ENTRY]], base: usize) -> Self {
        Self(Source::Plain(Plain { json, starts, base }))
    }

    pub(super) const fn packed(block: Packed<'a>, rows: &Range<usize>) -> Self {
        Self(Source::Packed { block, from: rows.start, to: rows.end })
    }

    /// The number of rows.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.0 {
            Source::Plain(Plain { starts, .. }) => starts.len(),
            Source::Packed { from, to, .. } => to - from,
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows as JSON, a comma between every two: what belongs between `[` and `]`. It is borrowed from the store if the
    /// block is not packed.
    ///
    /// # Errors
    /// When a packed block is damaged. A store that compares the checksum of a block as it reads it has found that before.
    pub fn json(&self) -> Result<Cow<'a, [u8]>, InvalidBlock> {
        self.unpack().map(|unpacked| unpacked.json)
    }

    /// The same as it lies in the store; `None` if the block is packed.
    pub(crate) const fn as_json(&self) -> Option<&'a [u8]> {
        match self.0 {
            Source::Plain(Plain { json, .. }) => Some(json),
            Source::Packed { .. } => None,
        }
    }

    /// The same, unpacked in `room` if the block is packed, in place of its former content. A caller that reads many runs has one
    /// room for all.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn json_in<'r>(&self, room: &'r mut Vec<u8>) -> Result<&'r [u8], InvalidBlock>
    where
        'a: 'r,
    {
        if let Some(json) = self.as_json() {
            return Ok(json);
        }
        room.clear();
        self.append_to(room)?;
        Ok(room)
    }

    /// Appends the same to `out`. Rows of a packed block are unpacked there, without another copy. After an error `out` is
    /// as before.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn append_to(&self, out: &mut Vec<u8>) -> Result<(), InvalidBlock> {
        match self.0 {
            Source::Plain(Plain { json, .. }) => out.extend_from_slice(json),
            Source::Packed { from, to, .. } if from == to => {}
            Source::Packed { block, from, to } => drop(block.append(&(from..to), out)?),
        }
        Ok(())
    }

    /// The rows, unpacked if their block is packed, to look at each by itself.
    ///
    /// # Errors
    /// As [`json`](Self::json).
    pub fn unpack(&self) -> Result<Unpacked<'a>, InvalidBlock> {
        Ok(match self.0 {
            Source::Plain(plain) => Unpacked { json: Cow::Borrowed(plain.json), places: Places::Plain(plain) },
            Source::Packed { from, to, .. } if from == to => return Self::none().unpack(),
            Source::Packed { block, from, to } => {
                let mut json = Vec::new();
                let lengths = block.append(&(from..to), &mut json)?;
                Unpacked { json: Cow::Owned(json), places: Places::Packed { lengths, from, to } }
            }
        })
    }
}

/// Rows whose JSON is in memory.
///
/// ```
/// use job_core::JobId;
/// use job_store::{Block, BlockBuilder, SegmentKey};
///
/// let mut builder = BlockBuilder::new(SegmentKey { job: JobId::MIN, attempt: 1, number: 0 });
/// builder.push("Sarah")?;
/// builder.push(&7)?;
/// let block = Block::parse(builder.seal().bytes)?;
/// let rows = block.rows(0..2)?.unpack()?;
/// assert_eq!(rows.json(), br#""Sarah",7"#);
/// assert!(rows.iter().eq([br#""Sarah""#.as_slice(), b"7"]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Unpacked<'a> {
    json: Cow<'a, [u8]>,
    places: Places<'a>,
}

#[derive(Debug, Clone)]
enum Places<'a> {
    Plain(Plain<'a>),
    Packed { lengths: Lengths<'a>, from: usize, to: usize },
}

impl Unpacked<'_> {
    /// The rows as JSON, a comma between every two.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// Each row's JSON by itself. A damaged table gives empty rows, never a panic.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        let rows = match &self.places {
            Places::Plain(plain) => 0..plain.starts.len(),
            Places::Packed { from, to, .. } => *from..*to,
        };
        rows.map(move |row| {
            let place = match &self.places {
                Places::Plain(plain) => plain.place(row),
                Places::Packed { lengths, .. } => {
                    let start = at;
                    let end = start + lengths.of(row);
                    at = end + 1;
                    Some(start..end)
                }
            };
            place.and_then(|place| self.json.get(place)).unwrap_or_default()
        })
    }
}

impl Plain<'_> {
    fn place(&self, row: usize) -> Option<Range<usize>> {
        let at = |row| self.starts.get(row).and_then(|start| position(*start).checked_sub(self.base));
        let end = at(row + 1).map_or(Some(self.json.len()), |next| next.checked_sub(1));
        Some(at(row)?..end?)
    }
}
