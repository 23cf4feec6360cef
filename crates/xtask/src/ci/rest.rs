//! Tests each REST surface against its own `OpenAPI` document: schemathesis makes right and wrong requests from it.

use std::{path::Path, time::Duration};

use crate::{Outcome, process, setup::pip, workspace::Workspace};

use super::service::{ANY_PORT, Service};

/// A part of the document that is tested by itself.
struct Part {
    /// The dialect of the service's surface.
    dialect: &'static str,
    name: &'static str,
    /// A pattern for the paths.
    paths: &'static str,
    /// The phases of schemathesis. A part without links from one operation to another has no `stateful` one.
    phases: &'static str,
    /// After this number of seconds, schemathesis sends no new requests.
    budget: &'static str,
    /// The most requests of one kind to one operation.
    examples: &'static str,
}

const ALL: &str = "examples,coverage,fuzzing,stateful";
const PLAIN: &str = "examples,coverage,fuzzing";

/// The service's surface has the words of each dialect in turn. The others have no dialects.
const PARTS: [Part; 7] = [
    Part { dialect: "document", name: "the service", paths: "^/ges/", phases: ALL, budget: "60", examples: "20" },
    Part {
        dialect: "memory-2025",
        name: "the service",
        paths: "^/ges/",
        phases: ALL,
        budget: "30",
        examples: "8",
    },
    Part {
        dialect: "memory-2025-rows",
        name: "the service",
        paths: "^/ges/",
        phases: ALL,
        budget: "30",
        examples: "8",
    },
    Part { dialect: "database", name: "the service", paths: "^/ges/", phases: ALL, budget: "40", examples: "8" },
    Part { dialect: "document", name: "neutral", paths: "^/v1/", phases: ALL, budget: "40", examples: "15" },
    Part {
        dialect: "document",
        name: "management",
        paths: "^/v(1\\.0|2)/",
        phases: PLAIN,
        budget: "10",
        examples: "10",
    },
    Part {
        dialect: "document",
        name: "beside them",
        paths: "^/(operator|figures|health|vitals|metrics)",
        phases: ALL,
        budget: "30",
        examples: "10",
    },
];

/// A run that takes longer hangs.
const HANG: Duration = Duration::from_mins(4);

pub(super) fn rest(workspace: &Workspace) -> Outcome {
    let files = workspace.root.join("crates/job-http/ci");
    let packages = workspace.cache.join("schemathesis");
    pip::install_all(&files.join("schemathesis.txt"), &packages, &workspace.cache)?;
    PARTS.iter().try_for_each(|part| part.test(workspace, &files, &packages))
}

impl Part {
    /// Tests it on a server of its own, whose store is empty.
    fn test(&self, workspace: &Workspace, files: &Path, packages: &Path) -> Outcome {
        let Self { dialect, name, paths, phases, budget, examples } = *self;
        let demo =
            ["--graph", "movies", "--store", "store", "serve", "--exports", "exports", "--dialect", dialect];
        let demo = Service::of(workspace, "job-demo", &[&demo[..], &["--listen", ANY_PORT]].concat())?;
        let mut command = pip::program(packages, "schemathesis");
        command.arg("--config-file").arg(files.join("schemathesis.toml")).arg("run");
        // The requests are the same every time, so a failure repeats on every machine.
        command.args([
            "--generation-deterministic",
            "--max-examples",
            examples,
            "--max-time",
            budget,
            "--no-color",
        ]);
        command.args(["--include-path-regex", paths, "--phases", phases]);
        command.arg(format!("{}/openapi.json", demo.url)).current_dir(demo.directory());
        let log = workspace.target().join(format!("schemathesis-{}-{dialect}.log", name.replace(' ', "-")));
        let told =
            process::logged(&mut command, &log, HANG).map_err(|error| format!("{name}, {dialect}: {error}"))?;
        eprintln!("{name}, {dialect}: {}", cases(&told));
        Ok(())
    }
}

/// The last line of schemathesis, such as `880 generated, 880 passed`.
fn cases(told: &str) -> &str {
    told.lines().rev().map(str::trim).find(|line| line.contains(" passed")).unwrap_or("all passed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_cases_is_told() {
        assert_eq!(cases("Test cases:\n  880 generated, 880 passed\n\nSeed: none\n"), "880 generated, 880 passed");
    }

    #[test]
    fn every_dialect_is_tested_within_four_minutes_in_all() {
        for dialect in ["document", "memory-2025", "memory-2025-rows", "database"] {
            assert!(PARTS.iter().any(|part| part.dialect == dialect && part.paths == "^/ges/"), "{dialect}");
        }
        let seconds: u64 = PARTS.iter().map(|part| part.budget.parse::<u64>().unwrap_or(u64::MAX)).sum();
        assert!(seconds <= 240, "{seconds} s");
    }
}
