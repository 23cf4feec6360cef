//! [`Changes`]: a batch for engines that have none of their own.

use std::ops::Range;

use super::{Batch, Table};

/// The changes of a batch in their order, in one piece of memory.
///
/// ```
/// use job_store::key_value::{Batch, Change, Changes, Table};
///
/// let mut changes = Changes::default();
/// changes.put(Table::Jobs, b"a", b"1");
/// changes.delete(Table::Jobs, b"b");
/// let all: Vec<_> = changes.iter().collect();
/// assert_eq!(all, [
///     (Table::Jobs, Change::Put { key: b"a", value: b"1" }),
///     (Table::Jobs, Change::Delete { key: b"b" }),
/// ]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Changes {
    steps: Vec<Step>,
    /// The two keys of each step, or its key and its value, one after the other.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    table: Table,
    kind: Kind,
    lengths: [usize; 2],
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Put,
    Delete,
    DeleteRange,
}

/// One step of [`Changes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'c> {
    /// A value for a key.
    Put {
        /// The key.
        key: &'c [u8],
        /// The value of the key from now on.
        value: &'c [u8],
    },
    /// Deletes a key.
    Delete {
        /// The key.
        key: &'c [u8],
    },
    /// Deletes every key of a range.
    DeleteRange {
        /// The range from the first key up to the second, which is not part of the range.
        keys: Range<&'c [u8]>,
    },
}

impl Changes {
    /// The changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Table, Change<'_>)> {
        self.steps.iter().scan(self.bytes.as_slice(), |rest, step| {
            let [first, second] = step.lengths;
            let (one, after) = rest.split_at_checked(first)?;
            let (other, after) = after.split_at_checked(second)?;
            *rest = after;
            let change = match step.kind {
                Kind::Put => Change::Put { key: one, value: other },
                Kind::Delete => Change::Delete { key: one },
                Kind::DeleteRange => Change::DeleteRange { keys: one..other },
            };
            Some((step.table, change))
        })
    }

    fn add(&mut self, table: Table, kind: Kind, one: &[u8], other: &[u8]) {
        self.steps.push(Step { table, kind, lengths: [one.len(), other.len()] });
        self.bytes.extend_from_slice(one);
        self.bytes.extend_from_slice(other);
    }
}

impl Batch for Changes {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.add(table, Kind::Put, key, value);
    }

    fn delete(&mut self, table: Table, key: &[u8]) {
        self.add(table, Kind::Delete, key, &[]);
    }

    fn delete_range(&mut self, table: Table, keys: Range<&[u8]>) {
        self.add(table, Kind::DeleteRange, keys.start, keys.end);
    }
}
