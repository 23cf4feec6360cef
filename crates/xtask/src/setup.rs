//! `cargo xtask setup`: finds or makes what a bare machine lacks, and writes it down for cargo.

pub(crate) mod cargo_config;
pub(crate) mod debian;
mod disk;
mod libclang;
pub(crate) mod pip;
mod postgres;
mod progress;
mod rocksdb;
mod seaweedfs;
mod strace;
mod wordnet;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Outcome, arguments::Options, workspace::Workspace};
use cargo_config::CargoConfig;

/// The build of the demo takes 730 MB below `target`, as measured.
const MEGABYTES: u64 = 1_000;

/// Sets the machine up. If it is set up already, this takes well under a second. Returns the directory of WordNet.
pub(crate) fn setup(workspace: &Workspace, options: &Options) -> Outcome<Option<PathBuf>> {
    let compiler = rocksdb::compiler();
    let libclang = libclang::find(&workspace.cache);
    let wordnet = wordnet::find(&workspace.cache, &options.wordnet);
    // All missing packages are reported at once, so that one installation is enough.
    let missing = [compiler.as_ref().err(), libclang.as_ref().err(), wordnet.as_ref().err()];
    let missing: Vec<String> = missing.into_iter().flatten().map(ToString::to_string).collect();
    if !missing.is_empty() {
        return Err(missing.join("\nxtask: ").into());
    }
    let wordnet = wordnet?;
    let mut config = CargoConfig { libclang: libclang?, ..CargoConfig::default() };
    let target = workspace.target();
    if !target.join("release").exists() {
        fs::create_dir_all(&target).map_err(|error| format!("{} cannot be made: {error}", target.display()))?;
        disk::has_room(&target, MEGABYTES, "the workspace, once compiled,", "CARGO_TARGET_DIR")?;
    }
    config.wordnet = wordnet.clone().filter(|directory| !wordnet::is_default(directory));
    link(workspace, &workspace.root, config)?;
    Ok(wordnet)
}

/// Sets up the workspace of hosts in this directory, whose RocksDB is another one than that of the clone.
pub(crate) fn hosts(workspace: &Workspace, directory: &Path) -> Outcome {
    rocksdb::compiler()?;
    let libclang = libclang::find(&workspace.cache)?;
    link(workspace, directory, CargoConfig { libclang, is_of_hosts: true, ..CargoConfig::default() })
}

/// Builds the RocksDB of the workspace in this directory, and writes into its file where it is.
fn link(workspace: &Workspace, directory: &Path, mut config: CargoConfig) -> Outcome {
    let file = cargo_config::file(directory);
    let library = rocksdb::Library::of(workspace, directory)?;
    if !library.is_built() {
        // The old file may name a removed library, and cargo would then build no library.
        config.write(&file)?;
        library.build(workspace)?;
    }
    config.rocksdb = Some(library.directory);
    config.write(&file)
}

/// Sets up what only tests need, as far as this machine allows.
pub(crate) fn servers(workspace: &Workspace) {
    postgres::find();
    strace::find();
    seaweedfs::find(workspace);
}

/// Prints a step that takes a moment to standard error, as cargo does.
fn say(what: &str) {
    eprintln!("setup: {what}");
}
