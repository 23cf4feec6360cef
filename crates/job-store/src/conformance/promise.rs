//! The sentences of the contract, each with a name.

/// Writes the enum, and its sentences a second time as data.
macro_rules! promises {
    ($($(#[doc = $sentence:literal])+ $name:ident)*) => {
        /// A sentence of the contract of a store, see [`JobStore`](crate::JobStore), [`ResultStore`](crate::ResultStore) and
        /// [`SharedStore`](crate::SharedStore). Each [`Law`](super::Law) names those it is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Promise {
            $($(#[doc = $sentence])+ $name,)*
        }

        impl Promise {
            /// All promises.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The promise.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($sentence),+).trim_ascii(),)*
                }
            }
        }
    };
}

promises! {
    /// One engine has a store for itself. The error to another engine names the first one.
    OneSeat
    /// Calls may come from any number of threads: a reader sees the state before a write or after it.
    Threads
    /// New jobs are added all or none.
    InsertWhole
    /// An id is taken once.
    IdTaken
    /// On one graph, one job has an idempotency key. Keys are compared byte by byte, and the refusal names the job
    /// that has the key.
    KeyTaken
    /// After a job has failed or was cancelled, another job may take its idempotency key.
    KeyFreed
    /// A record is read back as it was written: every field, and parameters and messages byte by byte.
    RecordWhole
    /// Reads of an unknown job return nothing, and a change of an unknown job creates nothing.
    NoSuchJob
    /// A record changes only by a compare-and-set on its revision; of racing writers exactly one wins.
    CompareAndSet
    /// A list is newest id first, without what `before`, `skip` and `limit` leave out.
    ListWindow
    /// A list by a filter holds the jobs that the filter takes and no others, newest id first, as far as `before`
    /// and `limit` say.
    FilteredList
    /// The jobs that a filter takes are counted, up to the most that is asked for.
    Count
    /// Complete jobs that are not pinned are counted, and the bytes of their rows.
    Kept
    /// The jobs that may be removed come in the order of their last use.
    LeastUsed
    /// Every job that is not complete is found, oldest id first.
    Unfinished
    /// A record that cannot be read gives an error that names its job. It hides no other record, and is removed
    /// with all that belongs to the job.
    Unreadable
    /// A removed job is gone with everything that belongs to it, and takes nothing of others.
    RemoveWhole
    /// A job that is not complete, or is pinned, is not removed.
    RemoveRefused
    /// An idempotency key leads to the job that was submitted last under it on that graph.
    FindKey
    /// Finished work is found by its spec: the job that succeeded last.
    FindReusable
    /// The latest note of a read is kept, of known jobs only.
    RecordReads
    /// A pin keeps a job until it is released.
    Pin
    /// The last reads and the pins of many jobs are returned in the order of the jobs.
    Usage
    /// Every acknowledged write is there when the store is opened again.
    Reopening
    /// A buffered write survives the death of the process.
    Buffered
    /// A synced write survives a loss of power, and so does every write that was acknowledged before it.
    Synced
    /// After a crash each write is there as a whole or not at all.
    CrashWhole
    /// A read of an entry that differs from what was written is `Corrupt`. The entry is never returned.
    Damage
    /// The cost of a call depends on its answer, and not on other contents of the store.
    Cost
    /// Rows of a segment are dense, in the order in which they were appended.
    RowsDense
    /// Rows belong to a segment, a segment to an attempt, an attempt to a job. Rows of two segments never mix.
    SegmentsApart
    /// Only the running attempt writes. Every write of another attempt is `Fenced`, also if the write has a second
    /// fault.
    Fence
    /// A block that does not follow the last one of its segment is `Invalid`.
    AppendRefused
    /// Rows that `visible_rows` counts can be read. Only appended rows are counted.
    VisibleRows
    /// `stored_bytes` is the bytes of the appended blocks as they are stored, or 0 in a store that does not count them.
    StoredBytes
    /// After `show_rows` every row that was appended is counted by `visible_rows`, at once or soon, and more may be appended.
    ShowRows
    /// `start_flush` does not change the result of `finish`.
    StartFlush
    /// A record is `Succeeded` only together with its result. A reader that sees this state can read every row.
    ResultWithRecord
    /// A result is read back as it was written, its segments in their order.
    ResultWhole
    /// A result ends a job: `complete` is `Invalid` with a record that is not complete, and `Conflict` or `NotFound` as a replace.
    CompleteRefused
    /// Many jobs are ended all or none.
    CompleteAll
    /// A job that ends without a result loses its rows in the same write.
    EndDropsRows
    /// A read passes all rows of the range, in order.
    Read
    /// A read of a missing row is `Corrupt`, and of a removed job `NotFound`.
    ReadRefused
    /// The reader of rows ends the read when it has enough, and with its first error.
    ReadEach
    /// Held rows are the first ones of the range, as far as they lie in one block. They outlive the call, and are not found
    /// after their job.
    HeldRows
    /// The stored blocks of a segment are listed in order, as they are stored.
    Blocks
    /// The rows of an attempt and of the attempts before it are dropped, and no others.
    Discard
    /// Rows of a result are not discarded.
    DiscardRefused
    /// The newest checkpoint of a job is kept, whichever attempt wrote it.
    Checkpoint
    /// A checkpoint is `Fenced` unless the attempt runs, and `Invalid` when it is too long.
    CheckpointRefused
    /// A checkpoint goes when its job ends.
    CheckpointGoes
    /// The failed attempts of a job are read back as they were kept last, also after its end.
    Failures
    /// A list of failed attempts is `Fenced` unless the attempt runs, and `Invalid` when it is too long.
    FailuresRefused
    /// Failed attempts go with their job.
    FailuresGo
    /// A claimant belongs to one engine.
    ClaimantSeat
    /// A claim takes a higher priority first, then the older job.
    ClaimOrder
    /// A claim takes only jobs of its kinds, and at most its limit.
    ClaimAsked
    /// A claim takes no job before its time, unless this time is further off than any pause can be.
    ClaimDue
    /// Two claimants never get the same job.
    ClaimOnce
    /// A claim changes neither record nor revision, unless it is asked to start jobs.
    ClaimRecord
    /// A claim that starts jobs only starts first attempts, of jobs that may have several.
    ClaimStarts
    /// A claim that is repeated returns the jobs that it has given.
    ClaimAgain
    /// A claim takes running jobs whose lease has ended if the caller wants them. It says whether the lease was
    /// another claimant's.
    ClaimLost
    /// Only the claimant of a job starts an attempt of it, and writes its rows, checkpoints or end.
    OnlyClaimant
    /// A lease that has ended lets no claimant write.
    LeaseEnds
    /// A renewal returns the jobs of its claims that hold, with the stored revisions. It moves the leases of these
    /// claims and no others.
    Renew
    /// A lease that has ended can be renewed unless the job was claimed since.
    RenewLate
    /// A job that is given back may be claimed at once; a claim that does not hold is left alone.
    Release
    /// The end of a job ends its claim.
    ClaimEnds
    /// Every claimant is told which one holds a job, and the end of the lease.
    Holder
    /// Every claimant may cancel a job. The claimant that has the job sees the cancel by the new revision.
    Cancel
    /// Changes of others are announced.
    News
    /// A wake ends a wait.
    Wake
    /// `changed` returns the jobs whose revision differs from the known one, and the jobs that were removed.
    Changed
}
