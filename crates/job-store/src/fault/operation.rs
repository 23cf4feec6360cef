//! [`Operation`]: the calls of a store, by name.

/// Makes the calls of a store. Each has its name in the traits, whether it writes, and the words of its errors.
macro_rules! operations {
    ($($(#[$doc:meta])+ $operation:ident $name:literal $kind:ident $words:literal;)+) => {
        /// A call of a store, as the traits name it. Those of [`JobStore`](crate::JobStore) and
        /// [`ResultStore`](crate::ResultStore) come first, then those of a [`SegmentWriter`](crate::SegmentWriter) and
        /// of a [`SharedStore`](crate::SharedStore).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])+ $operation,)+
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$operation,)+];

            /// The name of its method.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$operation => $name,)+ }
            }

            /// Whether it changes the store. [`Segment`](Self::Segment) does not: an empty segment is nowhere.
            #[must_use]
            pub const fn is_write(self) -> bool {
                match self { $(Self::$operation => operations!(@$kind),)+ }
            }

            /// The operation of an error, to be read after "could not".
            pub(super) const fn words(self) -> &'static str {
                match self { $(Self::$operation => $words,)+ }
            }
        }
    };
    (@read) => { false };
    (@write) => { true };
}

operations! {
    /// [`JobStore::insert`](crate::JobStore::insert): submissions.
    Insert "insert" write "submit jobs";
    /// [`JobStore::get`](crate::JobStore::get).
    Get "get" read "read the record";
    /// [`JobStore::replace`](crate::JobStore::replace): every change of a job but its good end.
    Replace "replace" write "change the record";
    /// [`JobStore::entries`](crate::JobStore::entries).
    Entries "entries" read "list jobs";
    /// [`JobStore::unfinished_entries`](crate::JobStore::unfinished_entries): when an engine opens.
    UnfinishedEntries "unfinished_entries" read "list unfinished jobs";
    /// [`JobStore::filtered_entries`](crate::JobStore::filtered_entries).
    FilteredEntries "filtered_entries" read "list jobs";
    /// [`JobStore::count`](crate::JobStore::count).
    Count "count" read "count jobs";
    /// [`JobStore::kept`](crate::JobStore::kept).
    Kept "kept" read "count jobs";
    /// [`JobStore::least_used`](crate::JobStore::least_used).
    LeastUsed "least_used" read "list jobs";
    /// [`JobStore::remove`](crate::JobStore::remove).
    Remove "remove" write "remove the record";
    /// [`JobStore::find_key`](crate::JobStore::find_key).
    FindKey "find_key" read "find a key";
    /// [`JobStore::find_reusable`](crate::JobStore::find_reusable).
    FindReusable "find_reusable" read "find a result";
    /// [`JobStore::record_reads`](crate::JobStore::record_reads).
    RecordReads "record_reads" write "note reads";
    /// [`JobStore::pin`](crate::JobStore::pin).
    Pin "pin" write "pin the record";
    /// [`JobStore::usage`](crate::JobStore::usage).
    Usage "usage" read "read what keeps jobs";
    /// [`ResultStore::segment`](crate::ResultStore::segment): the first rows of a writer come.
    Segment "segment" read "open a segment";
    /// [`ResultStore::complete`](crate::ResultStore::complete): good ends.
    Complete "complete" write "store the result";
    /// [`ResultStore::result`](crate::ResultStore::result): the head of a result.
    Result "result" read "read the result";
    /// [`ResultStore::read`](crate::ResultStore::read): rows.
    Read "read" read "read rows";
    /// [`ResultStore::blocks`](crate::ResultStore::blocks).
    Blocks "blocks" read "read blocks";
    /// [`ResultStore::discard`](crate::ResultStore::discard): rows of an attempt that came to nothing.
    Discard "discard" write "drop rows";
    /// [`ResultStore::save_checkpoint`](crate::ResultStore::save_checkpoint).
    SaveCheckpoint "save_checkpoint" write "save a checkpoint";
    /// [`ResultStore::checkpoint`](crate::ResultStore::checkpoint).
    Checkpoint "checkpoint" read "read a checkpoint";
    /// [`ResultStore::save_failures`](crate::ResultStore::save_failures): an attempt that gave no result.
    SaveFailures "save_failures" write "keep the failed attempts";
    /// [`ResultStore::failures`](crate::ResultStore::failures).
    Failures "failures" read "read the failed attempts";
    /// [`ResultStore::size_on_disk`](crate::ResultStore::size_on_disk).
    SizeOnDisk "size_on_disk" read "read the size";
    /// [`SegmentWriter::append`](crate::SegmentWriter::append): a full block of rows.
    Append "append" write "append rows";
    /// [`SegmentWriter::start_flush`](crate::SegmentWriter::start_flush).
    StartFlush "start_flush" write "append rows";
    /// [`SegmentWriter::show_rows`](crate::SegmentWriter::show_rows): a running job shows its rows after a second.
    ShowRows "show_rows" write "show rows";
    /// [`SegmentWriter::finish`](crate::SegmentWriter::finish): the last rows of a writer.
    Finish "finish" write "append rows";
    /// [`SharedStore::claim`](crate::SharedStore::claim).
    Claim "claim" write "claim jobs";
    /// [`SharedStore::renew`](crate::SharedStore::renew).
    Renew "renew" write "renew leases";
    /// [`SharedStore::release`](crate::SharedStore::release).
    Release "release" write "give claims back";
    /// [`SharedStore::changed`](crate::SharedStore::changed).
    Changed "changed" read "look for changes";
    /// [`SharedStore::holder`](crate::SharedStore::holder).
    Holder "holder" read "read the claim";
}

impl Operation {
    /// The one whose method has this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.as_str() == name)
    }
}
