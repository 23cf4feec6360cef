//! `cargo xtask setup`: finds or makes what a bare machine lacks, and writes it down for cargo.

mod cargo_config;
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

use std::{fs, path::PathBuf};

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
    let library = rocksdb::Library::of(workspace)?;
    if !library.is_built() {
        // The old file may name a removed library, and cargo would then build no library.
        config.write(&workspace.setup_file())?;
        library.build(workspace)?;
    }
    config.rocksdb = Some(library.directory);
    config.wordnet = wordnet.clone().filter(|directory| !wordnet::is_default(directory));
    config.write(&workspace.setup_file())?;
    Ok(wordnet)
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
