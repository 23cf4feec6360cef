//! How RocksDB's files are compiled. It makes the same calls to the package `cc` as the build script of
//! `librocksdb-sys`.
//!
//! The script compiles each file by itself, which takes eight times as long as several of them in one unit. A test
//! compares these lists with the script, so that a new version of the package is noticed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, metadata::Package, process, workspace::Workspace};

use super::edition::Edition;

pub(super) const PACKAGE: &str = "librocksdb-sys";

const INCLUDES: [&str; 4] = ["rocksdb/include/", "rocksdb/", "rocksdb/third-party/gtest-1.8.1/fused-src/", "."];

/// The macros and flags of every edition.
const DEFINES: [(&str, Option<&str>); 5] = [
    ("NDEBUG", Some("1")),
    ("OS_LINUX", None),
    ("ROCKSDB_PLATFORM_POSIX", None),
    ("ROCKSDB_LIB_IO_POSIX", None),
    ("ROCKSDB_SCHED_GETCPU_PRESENT", None),
];

const FLAGS: [&str; 9] = [
    "-Wsign-compare",
    "-Wshadow",
    "-Wno-unused-parameter",
    "-Wno-unused-variable",
    "-Woverloaded-virtual",
    "-Wnon-virtual-dtor",
    "-Wno-missing-field-initializers",
    "-Wno-strict-aliasing",
    "-Wno-invalid-offsetof",
];

/// The environment variable from which the script takes another dialect of C++ than the edition's.
const STANDARD: &str = "ROCKSDB_CXX_STD";

/// Flags for the features of a processor, by their names in Rust.
const PROCESSOR_FLAGS: [(&str, &str); 7] = [
    ("sse2", "-msse2"),
    ("sse4.1", "-msse4.1"),
    ("sse4.2", "-msse4.2"),
    ("avx2", "-mavx2"),
    ("bmi1", "-mbmi"),
    ("lzcnt", "-mlzcnt"),
    ("pclmulqdq", "-mpclmul"),
];

/// A codec that RocksDB's files can use, by the feature of the package.
#[derive(Debug)]
struct Codec {
    feature: &'static str,
    define: &'static str,
    /// The package that brings the library, and the directory of the headers. The package's build script compiles
    /// the library.
    headers: (&'static str, &'static str),
}

const CODECS: [Codec; 5] = [
    Codec { feature: "bzip2", define: "BZIP2", headers: ("bzip2-sys", "bzip2-1.0.8") },
    Codec { feature: "lz4", define: "LZ4", headers: ("lz4-sys", "liblz4/lib") },
    Codec { feature: "snappy", define: "SNAPPY", headers: (PACKAGE, "snappy/") },
    Codec { feature: "zlib", define: "ZLIB", headers: ("libz-sys", "src/zlib") },
    Codec { feature: "zstd", define: "ZSTD", headers: ("zstd-sys", "zstd/lib") },
];

/// A file of the list that is compiled from another place.
const VERSION: (&str, &str) = ("util/build_version.cc", "build_version.cc");

/// Everything that decides what the library holds.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) version: String,
    /// The directory of the package. Names of files and headers are relative to it.
    pub(super) directory: PathBuf,
    /// The processor, such as `x86-64-v2`.
    pub(super) processor: String,
    pub(super) codecs: Vec<&'static str>,
    edition: &'static Edition,
    defines: Vec<&'static str>,
    headers: Vec<PathBuf>,
}

impl Recipe {
    /// The RocksDB that the lock file, the features and the flags of the workspace in `directory` ask for.
    pub(super) fn of(workspace: &Workspace, directory: &Path) -> Outcome<Self> {
        let metadata = workspace.metadata_in(directory)?;
        let packages = metadata.packages();
        let package = find(&packages, PACKAGE)?;
        let features = metadata.features(package.id());
        if let Some(unknown) = features.iter().find(|feature| !is_known(feature)) {
            return Err(format!(
                "the workspace asks for the feature `{unknown}` of {PACKAGE}, which `cargo xtask setup` does not build: write in crates/xtask/src/setup/rocksdb/recipe.rs what it means"
            )
            .into());
        }
        let codecs: Vec<&Codec> = CODECS.iter().filter(|codec| features.contains(&codec.feature)).collect();
        let headers = codecs.iter().map(|codec| {
            let (package, below) = codec.headers;
            Ok(find(&packages, package)?.directory().join(below))
        });
        let config = fs::read_to_string(workspace.root.join(".cargo/config.toml")).unwrap_or_default();
        Ok(Self {
            version: package.version().to_owned(),
            edition: Edition::of(package.version())?,
            directory: package.directory(),
            processor: processor(&config),
            defines: codecs.iter().map(|codec| codec.define).collect(),
            headers: headers.collect::<Outcome<_>>()?,
            codecs: codecs.iter().map(|codec| codec.feature).collect(),
        })
    }

    /// The name of the directory for the compiled library. Two recipes that differ have different names.
    pub(super) fn name(&self) -> String {
        let codecs = if self.codecs.is_empty() { "plain".to_owned() } else { self.codecs.join("-") };
        format!("rocksdb-{}-{codecs}-{}", self.version, self.processor)
    }

    /// The files, relative to the directory of the package.
    pub(super) fn files(&self) -> Outcome<Vec<String>> {
        let list = self.directory.join("rocksdb_lib_sources.txt");
        let list =
            fs::read_to_string(&list).map_err(|error| format!("{} cannot be read: {error}", list.display()))?;
        Ok(files(&list))
    }

    /// The compiler with all flags, to be run in the directory of the package. Its trials go to `scratch`.
    pub(super) fn compiler(&self, workspace: &Workspace, scratch: &Path) -> Outcome<cc::Build> {
        let host = workspace.host()?;
        let mut build = cc::Build::new();
        // This program is no build script, so it prints no lines for cargo.
        build.cargo_output(false).cargo_metadata(false).cargo_debug(false).emit_rerun_if_env_changed(false);
        build.cpp(true).target(&host).host(&host).opt_level(3).debug(false).out_dir(scratch);
        // The processor is set below, as in the script. Other flags of rustc have no meaning for these files.
        build.inherit_rustflags(false);
        build.includes(INCLUDES).includes(&self.headers);
        let codecs = self.defines.iter().map(|name| (*name, Some("1")));
        let of_edition = self.edition.defines.iter().map(|name| (*name, None));
        for (name, value) in DEFINES.into_iter().chain(of_edition).chain(codecs) {
            build.define(name, value);
        }
        for flag in self.processor_flags(workspace)? {
            build.flag_if_supported(flag);
        }
        build.flag(standard(env::var(STANDARD).ok(), self.edition)).flags(FLAGS).flags(self.edition.flags);
        Ok(build)
    }

    fn processor_flags(&self, workspace: &Workspace) -> Outcome<Vec<String>> {
        if env::consts::ARCH != "x86_64" {
            return Ok(vec![]);
        }
        let target = format!("target-cpu={}", self.processor.replace(env::consts::ARCH, "x86-64"));
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--print", "cfg", "-C", &target]).current_dir(&workspace.root);
        let printed = process::output(&mut rustc)?;
        let has = |feature: &str| printed.lines().any(|line| line == format!("target_feature=\"{feature}\""));
        let features = PROCESSOR_FLAGS.iter().filter(|(feature, _)| has(feature));
        let features = features.map(|(_, flag)| (*flag).to_owned());
        let is_named = self.edition.names_processor && self.processor != env::consts::ARCH;
        let named = is_named.then(|| format!("-march={}", self.processor));
        Ok(named.into_iter().chain(features).collect())
    }
}

fn find<'a>(packages: &[Package<'a>], name: &str) -> Outcome<Package<'a>> {
    let package = packages.iter().find(|package| package.name() == name).copied();
    package.ok_or_else(|| format!("no package of the workspace depends on {name}, which RocksDB needs").into())
}

/// Whether a feature of the package is known: a codec, or a way of binding, which does not change the library.
fn is_known(feature: &str) -> bool {
    ["default", "static", "bindgen-runtime"].contains(&feature)
        || CODECS.iter().any(|codec| codec.feature == feature || codec.headers.0 == feature)
}

fn files(list: &str) -> Vec<String> {
    let names = list.lines().map(str::trim).filter(|name| !name.is_empty() && *name != VERSION.0);
    names.map(|name| format!("rocksdb/{name}")).chain([VERSION.1.to_owned()]).collect()
}

fn standard(named: Option<String>, edition: &Edition) -> String {
    match named {
        None => edition.standard.to_owned(),
        Some(flag) if flag.starts_with("-std=") => flag,
        Some(name) => format!("-std={name}"),
    }
}

/// The processor that the workspace's flags build for.
fn processor(config: &str) -> String {
    let flag = config.split_once("target-cpu=").map(|(_, rest)| rest);
    let chosen =
        flag.and_then(|rest| rest.split(['"', ' ', ',']).next()).filter(|_| env::consts::ARCH == "x86_64");
    chosen.unwrap_or(env::consts::ARCH).to_owned()
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
