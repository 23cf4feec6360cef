//! [`forward!`](crate::forward): writes the methods of a store that wraps another one and passes calls to it.

#[doc(hidden)]
pub use {
    job_core::{FailedAttempt, JobFilter, JobId, JobRecord, JobResult, JobSpec, Segment, Timestamp},
    std::{boxed::Box, ops::Range, time::Duration},
};

/// Writes methods of a store, of a [`SharedStore`](crate::SharedStore) or of a
/// [`SegmentWriter`](crate::SegmentWriter). They pass the call to the inner one, which a field of `self` holds.
///
/// `forward!(self.inner; get pin)` passes the calls on unchanged. `forward!(self.inner through [self.count]; get
/// pin)` makes each call through a method of `self`, or of one of its fields. That method takes the name of the
/// call and a closure that makes the call. With `#[deny(clippy::missing_trait_methods)]` on the `impl`, a
/// forgotten new method is an error.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use job_store::{Durability, JobStore, Listed, MemoryStore, Pin, Seat, StoreError, Usage, forward};
/// use job_core::{JobId, JobRecord, JobSpec, Timestamp};
///
/// /// Counts the reads.
/// #[derive(Debug, Default)]
/// struct Counting {
///     inner: MemoryStore,
///     reads: AtomicU64,
/// }
///
/// impl Counting {
///     fn count<T>(&self, _name: &str, call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
///         self.reads.fetch_add(1, Ordering::Relaxed);
///         call()
///     }
/// }
///
/// #[deny(clippy::missing_trait_methods)]
/// impl JobStore for Counting {
///     forward!(self.inner; seat insert replace remove record_reads pin);
///     forward!(self.inner through [self.count]; get entries unfinished_entries find_key find_reusable usage);
///     forward!(self.inner through [self.count]; filtered_entries count kept least_used);
/// }
///
/// let store = Counting::default();
/// assert_eq!(store.get(JobId::MIN)?, None);
/// store.insert(&[], Durability::Buffered)?;
/// assert_eq!(store.reads.into_inner(), 1);
/// # Ok::<(), StoreError>(())
/// ```
#[macro_export]
macro_rules! forward {
    ($self:ident . $inner:ident; $($method:ident)+) => {
        $($crate::forward! { @$method $self $inner [] })+
    };
    ($self:ident . $inner:ident through $via:tt; $($method:ident)+) => {
        $($crate::forward! { @$method $self $inner $via })+
    };

    // JobStore.
    (@seat $($to:tt)+) => { $crate::forward! { @fn $($to)+; seat(engine: &str) -> $crate::Seat } };
    (@insert $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; insert(records: &[$crate::forward::JobRecord], durability: $crate::Durability) -> () }
    };
    (@get $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; get(id: $crate::forward::JobId) -> Option<$crate::forward::JobRecord> }
    };
    (@replace $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; replace(next: &$crate::forward::JobRecord, durability: $crate::Durability) -> () }
    };
    (@entries $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            entries(before: Option<$crate::forward::JobId>, skip: u64, limit: usize) -> Vec<$crate::Listed>
        }
    };
    (@unfinished_entries $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; unfinished_entries() -> Vec<$crate::Listed> }
    };
    (@filtered_entries $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            filtered_entries(
                filter: &$crate::forward::JobFilter,
                before: Option<$crate::forward::JobId>,
                limit: usize
            ) -> Vec<$crate::Listed>
        }
    };
    (@count $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; count(filter: &$crate::forward::JobFilter, most: u64) -> u64 }
    };
    (@kept $($to:tt)+) => { $crate::forward! { @fn $($to)+; kept() -> $crate::Kept } };
    (@least_used $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            least_used(with_rows: bool, after: Option<$crate::LeastUsed>, limit: usize) -> Vec<$crate::LeastUsed>
        }
    };
    (@remove $($to:tt)+) => { $crate::forward! { @fn $($to)+; remove(id: $crate::forward::JobId) -> bool } };
    (@find_key $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; find_key(graph: &str, key: &str) -> Option<$crate::forward::JobId> }
    };
    (@find_reusable $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+; find_reusable(spec: &$crate::forward::JobSpec) -> Option<$crate::forward::JobId>
        }
    };
    (@record_reads $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+; record_reads(reads: &[($crate::forward::JobId, $crate::forward::Timestamp)]) -> ()
        }
    };
    (@pin $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; pin(id: $crate::forward::JobId, pin: $crate::Pin) -> () }
    };
    (@usage $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; usage(jobs: &[$crate::forward::JobId]) -> Vec<$crate::Usage> }
    };

    // ResultStore.
    (@segment $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+; segment(key: $crate::SegmentKey) -> $crate::forward::Box<dyn $crate::SegmentWriter>
        }
    };
    (@complete $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            complete(
                ends: &[(&$crate::forward::JobRecord, &$crate::forward::JobResult)],
                durability: $crate::Durability
            ) -> ()
        }
    };
    (@result $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; result(id: $crate::forward::JobId) -> Option<$crate::forward::JobResult> }
    };
    (@read $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            read(key: $crate::SegmentKey, rows: $crate::forward::Range<u64>, each: &mut $crate::EachRows<'_>) -> ()
        }
    };
    (@held_rows $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            held_rows(key: $crate::SegmentKey, rows: $crate::forward::Range<u64>) -> Option<$crate::BlockRows>
        }
    };
    (@blocks $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; blocks(key: $crate::SegmentKey, each: &mut $crate::EachBlock<'_>) -> () }
    };
    (@discard $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; discard(job: $crate::forward::JobId, attempt: u32) -> () }
    };
    (@save_checkpoint $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+; save_checkpoint(job: $crate::forward::JobId, attempt: u32, bytes: &[u8]) -> ()
        }
    };
    (@checkpoint $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; checkpoint(job: $crate::forward::JobId) -> Option<Vec<u8>> }
    };
    (@save_failures $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            save_failures(
                job: $crate::forward::JobId,
                attempt: u32,
                failed: &[$crate::forward::FailedAttempt]
            ) -> ()
        }
    };
    (@failures $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+; failures(job: $crate::forward::JobId) -> Vec<$crate::forward::FailedAttempt>
        }
    };
    (@size_on_disk $($to:tt)+) => { $crate::forward! { @fn $($to)+; size_on_disk() -> Option<u64> } };
    (@block_bytes $self:ident $inner:ident $via:tt) => {
        fn block_bytes(&$self) -> usize {
            $self.$inner.block_bytes()
        }
    };

    // SharedStore.
    (@shared_seat $($to:tt)+) => { $crate::forward! { @fn $($to)+; shared_seat(engine: &str) -> $crate::Seat } };
    (@claim $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; claim(claim: &$crate::Claim<'_>) -> Vec<$crate::Claimed> }
    };
    (@unreadable $self:ident $inner:ident $via:tt) => {
        fn unreadable(&$self) -> Vec<$crate::StoreError> {
            $self.$inner.unreadable()
        }
    };
    (@renew $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            renew(claims: &[$crate::ClaimId], lease: $crate::forward::Duration) -> Vec<$crate::KnownRevision>
        }
    };
    (@release $($to:tt)+) => { $crate::forward! { @fn $($to)+; release(claims: &[$crate::ClaimId]) -> () } };
    (@holder $($to:tt)+) => {
        $crate::forward! { @fn $($to)+; holder(job: $crate::forward::JobId) -> Option<$crate::Holder> }
    };
    (@changed $($to:tt)+) => {
        $crate::forward! {
            @fn $($to)+;
            changed(
                known: &[$crate::KnownRevision]
            ) -> Vec<($crate::forward::JobId, Option<$crate::forward::JobRecord>)>
        }
    };
    (@wait $($to:tt)+) => { $crate::forward! { @fn $($to)+; wait(timeout: $crate::forward::Duration) -> bool } };
    (@wake $self:ident $inner:ident $via:tt) => {
        fn wake(&$self) {
            $self.$inner.wake();
        }
    };

    // SegmentWriter.
    (@append $self:ident $inner:ident $via:tt) => {
        fn append(&mut $self, block: $crate::SealedBlock<'_>) -> Result<(), $crate::StoreError> {
            $crate::forward!(@call $via append $self.$inner.append(block))
        }
    };
    (@visible_rows $self:ident $inner:ident $via:tt) => {
        fn visible_rows(&$self) -> u64 {
            $self.$inner.visible_rows()
        }
    };
    (@stored_bytes $self:ident $inner:ident $via:tt) => {
        fn stored_bytes(&$self) -> u64 {
            $self.$inner.stored_bytes()
        }
    };
    (@start_flush $self:ident $inner:ident $via:tt) => {
        fn start_flush(&mut $self) -> Result<bool, $crate::StoreError> {
            $crate::forward!(@call $via start_flush $self.$inner.start_flush())
        }
    };
    (@show_rows $self:ident $inner:ident $via:tt) => {
        fn show_rows(&mut $self) -> Result<(), $crate::StoreError> {
            $crate::forward!(@call $via show_rows $self.$inner.show_rows())
        }
    };
    (@finish $self:ident $inner:ident []) => {
        fn finish($self: $crate::forward::Box<Self>) -> Result<$crate::forward::Segment, $crate::StoreError> {
            $self.$inner.finish()
        }
    };
    (@finish $self:ident $inner:ident [$me:ident $($via:tt)+]) => {
        fn finish($self: $crate::forward::Box<Self>) -> Result<$crate::forward::Segment, $crate::StoreError> {
            // The writer is unboxed, because the call consumes one of its fields and the call comes from the
            // method of another one.
            let this = *$self;
            this $($via)+ ("finish", || this.$inner.finish())
        }
    };

    (@fn $self:ident $inner:ident $via:tt; $name:ident($($argument:ident: $type:ty),*) -> $answer:ty) => {
        fn $name(&$self, $($argument: $type),*) -> Result<$answer, $crate::StoreError> {
            $crate::forward!(@call $via $name $self.$inner.$name($($argument),*))
        }
    };
    (@call [] $name:ident $call:expr) => { $call };
    (@call [$($via:tt)+] $name:ident $call:expr) => { $($via)+(stringify!($name), || $call) };
}
