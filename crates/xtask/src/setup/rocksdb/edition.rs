//! Differences between the build scripts of the versions of `librocksdb-sys` that workspaces of this clone link.

use crate::Outcome;

use super::recipe::PACKAGE;

/// The versions that one build script is of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edition {
    /// The beginning of their numbers.
    versions: &'static str,
    /// Macros without a value, besides those of all editions.
    pub(super) defines: &'static [&'static str],
    /// Flags besides those of all editions.
    pub(super) flags: &'static [&'static str],
    /// The dialect of C++.
    pub(super) standard: &'static str,
    /// Whether the compiler is told the name of the processor, besides its features.
    pub(super) names_processor: bool,
}

const EDITIONS: [Edition; 2] = [
    // The RocksDB of `rocksdb` 0.23.
    Edition {
        versions: "0.17.",
        defines: &["ROCKSDB_SUPPORT_THREAD_LOCAL"],
        flags: &[],
        standard: "-std=c++17",
        names_processor: false,
    },
    // The RocksDB of `rocksdb` 0.25.
    Edition {
        versions: "0.19.",
        defines: &[
            "HAVE_ALIGNED_NEW",
            "HAVE_UINT128_EXTENSION",
            "ROCKSDB_AUXV_GETAUXVAL_PRESENT",
            "ROCKSDB_FALLOCATE_PRESENT",
            "ROCKSDB_RANGESYNC_PRESENT",
        ],
        flags: &["-include", "cstdint"],
        standard: "-std=c++20",
        names_processor: true,
    },
];

impl Edition {
    /// The edition of a version of the package.
    pub(super) fn of(version: &str) -> Outcome<&'static Self> {
        let edition = EDITIONS.iter().find(|edition| version.starts_with(edition.versions));
        edition.ok_or_else(|| {
            format!(
                "`cargo xtask setup` does not know how {PACKAGE} {version} is built: write in crates/xtask/src/setup/rocksdb/edition.rs how its build script differs"
            )
            .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_not_known_is_refused_with_the_file_to_change() {
        assert_eq!(Edition::of("0.17.3+10.4.2").unwrap().standard, "-std=c++17");
        assert_eq!(Edition::of("0.19.0+11.8.1").unwrap().standard, "-std=c++20");
        let refused = Edition::of("0.170.0+12.0.0").unwrap_err().to_string();
        assert!(refused.contains("edition.rs"), "{refused}");
    }
}
