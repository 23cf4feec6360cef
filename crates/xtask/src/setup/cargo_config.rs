//! `.cargo/setup.toml`, which `.cargo/config.toml` includes: environment variables for every later run of cargo.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use crate::Outcome;

use super::libclang::Libclang;

/// The environment variable with the directory of WordNet, if it is not Debian's.
pub(super) const WORDNET: &str = "JOB_ENGINE_WORDNET";

/// The file in a workspace that tells cargo where RocksDB and libclang are.
pub(crate) fn file(workspace: &Path) -> PathBuf {
    workspace.join(".cargo").join("setup.toml")
}

#[derive(Debug, Default)]
pub(super) struct CargoConfig {
    pub(super) libclang: Libclang,
    /// Directory of `librocksdb.a`; without it cargo builds RocksDB in every target directory.
    pub(super) rocksdb: Option<PathBuf>,
    pub(super) wordnet: Option<PathBuf>,
    /// Whether the file is of a workspace in `hosts`. Cargo reads the clone's own file there too. So a file of the
    /// hosts says that RocksDB is compiled as long as no library is named.
    pub(super) is_of_hosts: bool,
}

impl CargoConfig {
    fn text(&self) -> String {
        let mut text =
            "# Written by `cargo xtask setup`, which writes it again when it is gone.\n[env]\n".to_owned();
        let path = |path: &PathBuf| path.display().to_string();
        let compiled = if self.rocksdb.is_some() { "0" } else { "1" };
        let variables = [
            ("ROCKSDB_COMPILE", self.is_of_hosts.then(|| compiled.to_owned())),
            ("ROCKSDB_LIB_DIR", self.rocksdb.as_ref().map(path)),
            ("ROCKSDB_STATIC", self.rocksdb.as_ref().map(|_| "1".to_owned())),
            ("LIBCLANG_PATH", self.libclang.directory.as_ref().map(path)),
            (
                "BINDGEN_EXTRA_CLANG_ARGS",
                self.libclang.headers.as_ref().map(|headers| format!("-I{}", path(headers))),
            ),
            (WORDNET, self.wordnet.as_ref().map(path)),
        ];
        for (name, value) in variables {
            let Some(value) = value else { continue };
            // The value is forced, because xtask passes its own environment, with values of an older file, to the
            // cargo that it starts.
            let _ = writeln!(text, "{name} = {{ value = {}, force = true }}", quoted(&value));
        }
        text
    }

    /// Writes the file if its content differs, so that cargo builds nothing again.
    pub(super) fn write(&self, file: &Path) -> Outcome {
        let text = self.text();
        if fs::read_to_string(file).is_ok_and(|old| old == text) {
            return Ok(());
        }
        replace(file, text.as_bytes())
            .map_err(|error| format!("{} cannot be written: {error}", file.display()).into())
    }
}

/// Replaces a file in one step, so that a reader sees the whole old file or the whole new one.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    fs::write(&draft, bytes)?;
    fs::rename(&draft, file)
}

/// A basic string of TOML.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_a_system_libclang_needs_rocksdb_alone() {
        let config = CargoConfig { rocksdb: Some("/cache/rocksdb".into()), ..CargoConfig::default() };
        let lines: Vec<_> = config.text().lines().skip(1).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "[env]",
                r#"ROCKSDB_LIB_DIR = { value = "/cache/rocksdb", force = true }"#,
                r#"ROCKSDB_STATIC = { value = "1", force = true }"#,
            ]
        );
    }

    /// Cargo would link the clone's own library, of another version, where the hosts have none yet.
    #[test]
    fn hosts_link_no_library_but_their_own() {
        let config = |rocksdb| CargoConfig { rocksdb, is_of_hosts: true, ..CargoConfig::default() };
        let compiled = r#"ROCKSDB_COMPILE = { value = "1", force = true }"#;
        assert!(config(None).text().contains(compiled));
        let linked = config(Some("/cache/rocksdb".into())).text();
        assert!(linked.contains(r#"ROCKSDB_COMPILE = { value = "0", force = true }"#), "{linked}");
        assert!(linked.contains(r#"ROCKSDB_LIB_DIR = { value = "/cache/rocksdb", force = true }"#), "{linked}");
    }

    #[test]
    fn a_downloaded_libclang_comes_with_headers() {
        let libclang = Libclang { directory: Some("/cache/c".into()), headers: Some("/gcc/include".into()) };
        let text = CargoConfig { libclang, ..CargoConfig::default() }.text();
        assert!(text.contains(r#"LIBCLANG_PATH = { value = "/cache/c", force = true }"#), "{text}");
        assert!(
            text.contains(r#"BINDGEN_EXTRA_CLANG_ARGS = { value = "-I/gcc/include", force = true }"#),
            "{text}"
        );
        assert!(!text.contains("ROCKSDB"), "{text}");
    }

    #[test]
    fn paths_are_quoted() {
        assert_eq!(quoted(r#"C:\a "b""#), r#""C:\\a \"b\"""#);
    }

    #[test]
    fn an_unchanged_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("setup.toml");
        let config = CargoConfig::default();
        config.write(&file).unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        config.write(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
