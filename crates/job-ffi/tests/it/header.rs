//! The header that is kept in the repository.

use std::{env, fs, path::Path};

use cbindgen::{Builder, Config, DocumentationStyle, ItemType, Language, SortKey};

/// Sources of the interface, in the order of the header.
const SOURCES: [&str; 11] =
    ["status", "host", "error", "engine", "handler", "rows", "context", "scan", "jobs", "described", "pages"];

/// Where this is set, the header is written anew.
const WRITE: &str = "JOB_FFI_HEADER";

#[test]
fn the_header_is_written_out_of_the_sources() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = package.join("include/job.h");
    let header = header(package);
    if env::var_os(WRITE).is_some() {
        fs::write(&file, &header).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == header, "include/job.h is older than the sources: run this test with {WRITE}=write");
}

fn header(package: &Path) -> String {
    let about = fs::read_to_string(package.join("src/lib.rs")).unwrap();
    let about: Vec<&str> = about.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let mut config = Config {
        language: Language::C,
        cpp_compat: true,
        include_guard: Some("JOB_H".to_owned()),
        no_includes: true,
        sys_includes: ["stddef.h", "stdint.h"].map(str::to_owned).to_vec(),
        header: Some(about.iter().fold("/*".to_owned(), |text, line| text + line + "\n *") + "/"),
        usize_is_size_t: true,
        documentation_style: DocumentationStyle::C99,
        line_length: 100,
        ..Config::default()
    };
    config.function.sort_by = Some(SortKey::None);
    config.export.item_types =
        [ItemType::Constants, ItemType::Structs, ItemType::Typedefs, ItemType::Functions].to_vec();
    let files = SOURCES.iter().map(|name| package.join("src").join(name).with_extension("rs"));
    let builder = files.fold(Builder::new().with_config(config), Builder::with_src);
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    without_links(&String::from_utf8(header).unwrap())
}

/// The text without the marks of links of rustdoc: `[X](path)` and `[X]` are `X`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, linked)) = rest.split_once("[`") {
        let (name, behind) = linked.split_once("`]").unwrap_or((linked, ""));
        plain.extend([before, name]);
        rest = behind.strip_prefix('(').and_then(|path| path.split_once(')')).map_or(behind, |(_, behind)| behind);
    }
    plain + rest
}
