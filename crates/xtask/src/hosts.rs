//! `cargo xtask hosts`: engines that others might write, which link the library as strangers do.

mod cpp;
mod ffi;
mod python;
mod rust;

use std::path::PathBuf;

use crate::{
    Outcome,
    arguments::{Options, value},
    setup,
    skipped::Skipped,
    workspace::Workspace,
};
use ffi::Library;

/// Vertices of the graph that the host in C++ fills. The emulator of valgrind gets a tenth.
const VERTICES: u64 = 200_000;

/// The hosts, in the order in which they run. All but the first are directories of `hosts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Redb,
    Rocksdb,
    Ffi,
    Python,
    Cpp,
}

impl Name {
    const ALL: [(&str, Self); 5] = [
        ("redb", Self::Redb),
        ("rocksdb-0.23", Self::Rocksdb),
        ("job-ffi", Self::Ffi),
        ("python", Self::Python),
        ("cpp", Self::Cpp),
    ];
}

/// The hosts to run, and the size of their graph.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    names: Vec<Name>,
    vertices: u64,
}

pub(crate) fn hosts(workspace: &Workspace, options: &Options) -> Outcome {
    let chosen = parse(&options.rest)?;
    // A host in Rust builds what it needs, and redb needs nothing.
    if chosen.names.iter().any(|name| matches!(name, Name::Ffi | Name::Python | Name::Cpp)) {
        setup::setup(workspace, options)?;
    }
    let skipped = Skipped::of(workspace)?;
    let outcome = each(workspace, &skipped, &chosen);
    let told = skipped.tell();
    outcome.and(told)
}

fn parse(arguments: &[String]) -> Outcome<Chosen> {
    let mut chosen = Chosen { names: Vec::new(), vertices: VERTICES };
    let mut arguments = arguments.iter().cloned();
    while let Some(argument) = arguments.next() {
        if let Some((_, name)) = Name::ALL.iter().find(|(name, _)| *name == argument) {
            chosen.names.push(*name);
            continue;
        }
        let given = value(&argument, "--vertices", &mut arguments)
            .ok_or_else(|| format!("`hosts` takes no argument `{argument}`: see `cargo xtask help hosts`"))?;
        let given = given.parse().ok().filter(|vertices| *vertices >= 1_000);
        chosen.vertices = given.ok_or("--vertices needs a whole number after it, at least 1000")?;
    }
    if chosen.names.is_empty() {
        chosen.names = Name::ALL.map(|(_, name)| name).into();
    }
    Ok(chosen)
}

/// All of them.
pub(crate) fn all(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    each(workspace, skipped, &parse(&[])?)
}

fn each(workspace: &Workspace, skipped: &Skipped, chosen: &Chosen) -> Outcome {
    let make = || Library::build(workspace);
    let mut library = None;
    for (_, name) in Name::ALL.iter().filter(|(_, name)| chosen.names.contains(name)) {
        match name {
            Name::Redb => rust::redb(workspace, skipped)?,
            Name::Rocksdb => rust::rocksdb(workspace, skipped)?,
            Name::Ffi => ffi::sanitized_tests(workspace)?,
            Name::Python => python::python(workspace, once(&mut library, make)?)?,
            Name::Cpp => cpp::cpp(workspace, skipped, once(&mut library, make)?, chosen.vertices)?,
        }
    }
    Ok(())
}

/// The libraries, which are built for the first host that needs them.
fn once(library: &mut Option<Library>, make: impl FnOnce() -> Outcome<Library>) -> Outcome<&Library> {
    Ok(match library {
        Some(built) => built,
        none => none.insert(make()?),
    })
}

/// Where all that this command makes is.
fn made(workspace: &Workspace) -> PathBuf {
    workspace.target().join("hosts")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Outcome<Chosen> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn vertices_are_a_number() {
        assert_eq!(parsed("").unwrap().vertices, VERTICES);
        assert_eq!(parsed("--vertices 20000").unwrap().vertices, 20_000);
        assert!(parsed("--vertices 5").unwrap_err().to_string().contains("at least 1000"));
        assert!(parsed("sqlite").unwrap_err().to_string().contains("`sqlite`"));
    }

    #[test]
    fn hosts_are_chosen_by_name_and_are_all_of_them_without_one() {
        assert_eq!(parsed("").unwrap().names.len(), Name::ALL.len());
        assert_eq!(parsed("redb cpp --vertices 2000").unwrap().names, [Name::Redb, Name::Cpp]);
        let hosts = Workspace::locate().unwrap().root.join("hosts");
        for (name, _) in Name::ALL.iter().filter(|(_, name)| *name != Name::Ffi) {
            assert!(hosts.join(name).is_dir(), "there is no hosts/{name}");
        }
    }
}
