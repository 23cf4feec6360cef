//! [`Packing`]: how the rows of a store are packed on the disk.

use std::{fmt, str::FromStr};

use crate::{ErrorKind, StoreError};

/// How the blocks of rows are packed where they are stored: one option of every store on a disk.
///
/// `RocksStore` lets RocksDB pack. Its cache holds blocks unpacked, so a page that comes from there costs no unpacking.
/// Stores that do not pack by themselves pack each block as it is appended, and unpack the parts of a page when it is
/// read. Budgets (`max_bytes`) count the JSON.
///
/// A change of the option holds for new blocks. Blocks of every packing stay readable.
///
/// ```
/// use job_store::Packing;
///
/// assert_eq!(Packing::default(), Packing::Lz4);
/// assert_eq!("zstd:3".parse(), Ok(Packing::Zstd(3)));
/// assert_eq!(Packing::Zstd(3).to_string(), "zstd:3");
/// assert!("zip".parse::<Packing>().unwrap_err().to_string().contains("none, lz4, zstd"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Packing {
    /// Rows are stored as their JSON.
    None,
    /// LZ4: rows of vertices take about a sixth of their JSON, rows of numbers about half.
    #[default]
    Lz4,
    /// ZSTD of this level, 1 to 22, in `RocksStore` alone: about half of what LZ4 takes, for a slower write and read.
    Zstd(i32),
}

impl Packing {
    /// The level of `zstd` without one.
    const LEVEL: i32 = 1;
    const LEVELS: std::ops::RangeInclusive<i32> = 1..=22;

    /// Refuses a level that ZSTD does not have.
    ///
    /// # Errors
    /// `Invalid`.
    #[cfg_attr(not(feature = "rocksdb"), allow(dead_code, reason = "no other store has it"))]
    pub(crate) fn check_level(self, operation: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Zstd(level) if !Self::LEVELS.contains(&level) => {
                let detail = format!("its packing is {self}: a level of zstd is 1 to 22");
                Err(StoreError::new(ErrorKind::Invalid, operation, detail))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a packing that only an engine of its own has.
    ///
    /// # Errors
    /// `Invalid`.
    pub(crate) fn check_of_blocks(self, operation: &'static str) -> Result<(), StoreError> {
        if !matches!(self, Self::Zstd(_)) {
            return Ok(());
        }
        let detail = format!("its packing is {self}, which RocksDB alone has: this store has none and lz4");
        Err(StoreError::new(ErrorKind::Invalid, operation, detail))
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

/// A text that names no packing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no packing: it must be one of none, lz4, zstd and zstd:LEVEL, with a level of 1 to 22")]
pub struct UnknownPacking(String);

impl FromStr for Packing {
    type Err = UnknownPacking;

    /// Reads `none`, `lz4`, `zstd` (level 1) or `zstd:LEVEL`.
    fn from_str(text: &str) -> Result<Self, UnknownPacking> {
        let unknown = || UnknownPacking(text.to_owned());
        match text {
            "none" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd(Self::LEVEL)),
            other => {
                let level = other.strip_prefix("zstd:").and_then(|level| level.parse().ok());
                level.filter(|level| Self::LEVELS.contains(level)).map(Self::Zstd).ok_or_else(unknown)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packing_is_read_back_from_its_text() {
        for packing in [Packing::None, Packing::Lz4, Packing::Zstd(1), Packing::Zstd(22)] {
            assert_eq!(packing.to_string().parse(), Ok(packing));
        }
        for wrong in ["", "LZ4", "zstd:", "zstd:0", "zstd:23", "zstd:x", "lz4:1"] {
            assert!(wrong.parse::<Packing>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        assert!(Packing::Zstd(22).check_level("open the store").is_ok());
        let refused = Packing::Zstd(23).check_level("open the store").unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(Packing::Lz4.check_of_blocks("open the store").is_ok());
        let refused = Packing::Zstd(1).check_of_blocks("open the store").unwrap_err();
        assert!(refused.detail.contains("zstd:1"), "{refused}");
    }
}
