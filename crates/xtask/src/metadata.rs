//! The workspace's packages, as cargo lists them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// The output of `cargo metadata`.
#[derive(Debug)]
pub(crate) struct Metadata(Value);

impl Metadata {
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }

    /// Every package that is built for this machine.
    pub(crate) fn packages(&self) -> Vec<Package<'_>> {
        list(field(&self.0, "packages")).map(Package).collect()
    }

    /// The packages of the workspace.
    pub(crate) fn members(&self) -> Vec<Package<'_>> {
        let ids: BTreeSet<&str> = list(field(&self.0, "workspace_members")).filter_map(Value::as_str).collect();
        self.packages().into_iter().filter(|package| ids.contains(package.id())).collect()
    }

    /// The features of a package, with those of every member of the workspace that it depends on.
    pub(crate) fn features(&self, id: &str) -> Vec<&str> {
        let node = list(field(field(&self.0, "resolve"), "nodes")).find(|node| field(node, "id") == id);
        node.map(|node| list(field(node, "features")).filter_map(Value::as_str).collect()).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Package<'a>(&'a Value);

impl<'a> Package<'a> {
    pub(crate) fn name(self) -> &'a str {
        text(field(self.0, "name"))
    }

    pub(crate) fn id(self) -> &'a str {
        text(field(self.0, "id"))
    }

    pub(crate) fn version(self) -> &'a str {
        text(field(self.0, "version"))
    }

    /// The least Rust that it names, or nothing.
    pub(crate) fn rust_version(self) -> &'a str {
        self.text("rust_version")
    }

    /// A text of the manifest; empty where there is none.
    pub(crate) fn text(self, name: &str) -> &'a str {
        text(field(self.0, name))
    }

    /// The length of a list of the manifest.
    pub(crate) fn count(self, name: &str) -> usize {
        list(field(self.0, name)).count()
    }

    /// The packages in its manifest, of every kind.
    pub(crate) fn dependencies(self) -> Vec<&'a str> {
        list(field(self.0, "dependencies")).map(|dependency| text(field(dependency, "name"))).collect()
    }

    /// The directory of the package's sources.
    pub(crate) fn directory(self) -> PathBuf {
        Path::new(text(field(self.0, "manifest_path"))).parent().map(Path::to_owned).unwrap_or_default()
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
