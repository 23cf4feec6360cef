//! The fence that every write of an attempt has to pass.

/// The row of the running attempt `$2` of job `$1`, if the claimant `$3` has the lease, or no lease is needed.
macro_rules! fence {
    () => {
        "
        SELECT job FROM queue
        WHERE job = $1 AND attempt = $2 AND state > 0
            AND (until IS NULL OR (claimant = $3 AND until > clock_timestamp()))"
    };
}

/// A statement that writes `FROM fence`. It locks the job's row until the write is done. Without that row it
/// writes nothing.
macro_rules! fenced {
    ($write:literal) => {
        concat!("WITH fence AS (", $crate::postgres::fence::fence!(), " FOR SHARE)", $write)
    };
}

pub(super) use {fence, fenced};
