//! Checks the rooms of `job-runner`: folders that import in one direction, without long circles of files. Counts
//! its code too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::tidy::code_length;
use crate::{Outcome, workspace::Workspace};

/// The directory of the rooms.
const SOURCES: &str = "crates/job-runner/src";

/// The rooms, the lowest first: each may import from itself and from those before it.
const ROOMS: [&str; 10] =
    ["seam", "job", "decide", "handler", "read", "engine", "record", "source", "worker", "api"];

/// The most files that may import each other in a circle.
const LONGEST_CIRCLE: usize = 4;

/// The code that is counted.
const COUNTED: [&str; 2] = [SOURCES, "benches/src/scale"];

/// The imports of each file, by the path of its module.
type Imports = BTreeMap<String, BTreeSet<String>>;

pub(super) fn rooms(workspace: &Workspace) -> Outcome {
    for counted in COUNTED {
        let lines: usize =
            sources(&workspace.root.join(counted))?.iter().map(|(_, text)| lines_of_code(text)).sum();
        eprintln!("ci:   {counted}: {lines} lines of code");
    }
    let imports = imports(&sources(&workspace.root.join(SOURCES))?);
    let wrong = [upward(&imports), circles(&imports)].concat();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The files of a directory by their module, without `lib.rs` and tests.
fn sources(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let (mut found, mut directories) = (Vec::new(), vec![(root.to_owned(), String::new())]);
    while let Some((directory, module)) = directories.pop() {
        for file in fs::read_dir(directory)? {
            let path = file?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let inner = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
            if path.is_dir() {
                directories.push((path, inner));
            } else if !matches!(name.as_str(), "lib" | "tests") {
                found.push((if name == "mod" { module.clone() } else { inner }, fs::read_to_string(path)?));
            }
        }
    }
    Ok(found)
}

/// The lines that are neither blank, nor a comment, nor of the tests at the end.
fn lines_of_code(text: &str) -> usize {
    code(text).count()
}

fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().take(code_length(text)).map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//"))
}

fn imports(sources: &[(String, String)]) -> Imports {
    let modules: BTreeSet<&str> = sources.iter().map(|(module, _)| module.as_str()).collect();
    let of_one = |module: &str, text: &str| {
        let code: Vec<&str> = code(text).collect();
        let known = paths(module, &code.join("\n")).into_iter().filter_map(|path| longest(&modules, &path));
        known.filter(|other| other != module).collect()
    };
    sources.iter().map(|(module, text)| (module.clone(), of_one(module, text))).collect()
}

/// The module of a path: the longest beginning of the path that names a module.
fn longest(modules: &BTreeSet<&str>, path: &str) -> Option<String> {
    let mut path = path;
    while !modules.contains(path) {
        path = path.rsplit_once("::")?.0;
    }
    Some(path.to_owned())
}

/// The paths in `code` that begin with `crate::` or, in a `use`, with `super::`.
fn paths(module: &str, code: &str) -> Vec<String> {
    let parent = module.rsplit_once("::").map_or(module, |(parent, _)| parent);
    let mut paths = Vec::new();
    for (start, base) in [("crate::", ""), ("use super::", parent)] {
        for (at, _) in code.match_indices(start) {
            tree(&code[at + start.len()..], base, &mut paths);
        }
    }
    paths
}

/// Reads one tree of a `use`, or a path in code, into paths. Returns the rest of the line.
fn tree<'c>(code: &'c str, base: &str, paths: &mut Vec<String>) -> &'c str {
    let code = code.trim_start();
    if let Some(mut list) = code.strip_prefix('{') {
        loop {
            list = tree(list, base, paths).trim_start();
            match list.split_at_checked(1) {
                Some((",", rest)) if rest.trim_start().starts_with('}') => return &rest.trim_start()[1..],
                Some((",", rest)) => list = rest,
                Some(("}", rest)) => return rest,
                _ => return list,
            }
        }
    }
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    let (name, rest) = code.split_at(end);
    let path = if base.is_empty() { name.to_owned() } else { format!("{base}::{name}") };
    if let Some(rest) = rest.strip_prefix("::") {
        return tree(rest, &path, paths);
    }
    paths.push(path);
    rest
}

/// Imports from a room above.
fn upward(imports: &Imports) -> Vec<String> {
    let height = |module: &str| ROOMS.iter().position(|room| module.split("::").next() == Some(*room));
    let mut wrong = Vec::new();
    for (module, others) in imports {
        let Some(own) = height(module) else {
            wrong.push(format!("{SOURCES}: the module {module} is in none of the rooms {}", ROOMS.join(", ")));
            continue;
        };
        for other in others.iter().filter(|other| height(other) > Some(own)) {
            wrong.push(format!("{SOURCES}: {module} imports {other}, which is in a room above it"));
        }
    }
    wrong
}

/// Circles of more files than may be in one.
fn circles(imports: &Imports) -> Vec<String> {
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|module| (module.as_str(), reach(imports, module))).collect();
    let meets = |from: &str, to: &str| reached.get(from).is_some_and(|modules| modules.contains(to));
    let circle = |module: &str| -> BTreeSet<&str> {
        imports.keys().map(String::as_str).filter(|other| meets(module, other) && meets(other, module)).collect()
    };
    let found: BTreeSet<_> = imports.keys().map(|module| circle(module)).collect();
    let long = found.into_iter().filter(|circle| circle.len() > LONGEST_CIRCLE);
    long.map(|circle| {
        let names: Vec<&str> = circle.into_iter().collect();
        format!(
            "{SOURCES}: {} files import each other, of {LONGEST_CIRCLE} at most: {}",
            names.len(),
            names.join(", ")
        )
    })
    .collect()
}

/// The modules that `module` imports, directly or through other modules.
fn reach<'i>(imports: &'i Imports, module: &'i str) -> BTreeSet<&'i str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![module]);
    while let Some(module) = next.pop() {
        next.extend(
            imports.get(module).into_iter().flatten().map(String::as_str).filter(|other| seen.insert(*other)),
        );
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> Imports {
        let files: Vec<(String, String)> =
            files.iter().map(|(module, text)| ((*module).to_owned(), (*text).to_owned())).collect();
        imports(&files)
    }

    #[test]
    fn imports_are_found_in_trees_paths_and_beside() {
        let text = "use crate::{\n    job::{entry::{self, Entry}, place::Place},\n    seam::sync,\n};\n// crate::api\nuse super::run;\n\
                    fn f() -> crate::job::lease::Lease {}\n#[cfg(test)]\nuse crate::api::engine;\n";
        let others = ["job::entry", "job::place", "job::lease", "seam::sync", "worker::run", "api", "api::engine"];
        let mut files: Vec<(&str, &str)> = others.iter().map(|other| (*other, "")).collect();
        files.push(("worker::next", text));
        let found: Vec<String> = graph(&files)["worker::next"].iter().cloned().collect();
        assert_eq!(found, ["job::entry", "job::lease", "job::place", "seam::sync", "worker::run"]);
    }

    #[test]
    fn rooms_import_downwards() {
        let down = [("job::entry", ""), ("api::engine", "use crate::job::entry::Entry;")];
        assert_eq!(upward(&graph(&down)), [""; 0]);
        let up = [("job::entry", "use crate::api::engine::Engine;"), ("api::engine", "")];
        assert_eq!(upward(&graph(&up)).len(), 1);
        assert_eq!(upward(&graph(&[("cellar::wine", "")])).len(), 1, "every file is in a room");
    }

    #[test]
    fn a_long_circle_is_found_once() {
        let circle = |count: usize| {
            let files: Vec<(String, String)> = (0..count)
                .map(|n| (format!("job::f{n}"), format!("use crate::job::f{}::F;", (n + 1) % count)))
                .collect();
            circles(&imports(&files)).len()
        };
        assert_eq!([circle(LONGEST_CIRCLE), circle(LONGEST_CIRCLE + 1)], [0, 1]);
    }

    #[test]
    fn comments_blank_lines_and_tests_are_no_code() {
        assert_eq!(lines_of_code("//! A\n\nfn a() {\n    // why\n}\n#[cfg(test)]\nmod tests {}\n"), 2);
    }
}
