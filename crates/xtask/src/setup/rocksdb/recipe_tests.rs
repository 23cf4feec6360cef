use super::*;

fn recipe() -> Recipe {
    Recipe::of(&Workspace::locate().unwrap()).unwrap()
}

/// The arguments of the build script's calls of `method`, from where it sets up the compiler for RocksDB.
fn calls(script: &str, method: &str) -> Vec<String> {
    let body = script.split("fn build_rocksdb() {").nth(1).unwrap().split("\nfn ").next().unwrap();
    let call = format!(".{method}(");
    let calls = body.split(&call).skip(1).map(|rest| {
        let end = rest.char_indices().scan(1, |depth, (at, letter)| {
            *depth += match letter {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            Some((at, *depth))
        });
        let end = end.into_iter().find(|(_, depth)| *depth == 0).unwrap().0;
        rest[..end].to_owned()
    });
    calls.collect()
}

fn sorted(list: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut list: Vec<_> = list.into_iter().collect();
    list.sort();
    list.dedup();
    list
}

fn define(name: &str, value: Option<&str>) -> String {
    value.map_or_else(|| format!("\"{name}\", None"), |value| format!("\"{name}\", Some(\"{value}\")"))
}

/// Files of other systems, and of features that the workspace does not turn on.
const OTHER_DEFINES: [&str; 25] = [
    "ZLIB",
    "BZIP2",
    "USE_RTTI",
    "OS_MACOSX",
    "IOS_CROSS_COMPILE",
    "PLATFORM",
    "NIOSTATS_CONTEXT",
    "NPERF_CONTEXT",
    "OS_ANDROID",
    "_FILE_OFFSET_BITS",
    "OS_AIX",
    "OS_DRAGONFLYBSD",
    "OS_FREEBSD",
    "OS_NETBSD",
    "OS_OPENBSD",
    "DWIN32",
    "OS_WIN",
    "_MBCS",
    "WIN64",
    "NOMINMAX",
    "ROCKSDB_WINDOWS_UTF8_FILENAMES",
    "_POSIX_C_SOURCE",
    "_WIN32_WINNT",
    "ROCKSDB_JEMALLOC",
    "JEMALLOC_NO_DEMANGLE",
];
const OTHER_DEFINES_ON_LINUX: [&str; 2] = ["ROCKSDB_IOURING_PRESENT", "_LARGEFILE64_SOURCE"];

#[test]
fn the_macros_are_those_of_the_build_script() {
    let script = fs::read_to_string(recipe().directory.join("build.rs")).unwrap();
    let ours = DEFINES.map(|(name, value)| define(name, value));
    let codecs = CODECS.map(|codec| define(codec.define, Some("1")));
    let is_other = |call: &String| {
        OTHER_DEFINES.iter().chain(&OTHER_DEFINES_ON_LINUX).any(|name| call.starts_with(&format!("\"{name}\"")))
    };
    let theirs = calls(&script, "define").into_iter().filter(|call| !is_other(call));
    assert_eq!(sorted(theirs), sorted(ours.into_iter().chain(codecs)));
}

#[test]
fn the_flags_are_those_of_the_build_script() {
    let script = fs::read_to_string(recipe().directory.join("build.rs")).unwrap();
    let quoted = |flag: &str| format!("\"{flag}\"");
    let ours = FLAGS.map(quoted).into_iter().chain(["cxx_standard()".to_owned()]);
    let others = ["-flto", "-EHsc", "-std:c++20"].map(quoted);
    let theirs = calls(&script, "flag").into_iter().filter(|flag| !others.contains(flag));
    assert_eq!(sorted(theirs), sorted(ours));

    let ours = PROCESSOR_FLAGS.map(|(_, flag)| quoted(flag));
    let theirs = calls(&script, "flag_if_supported").into_iter().filter(|flag| !flag.contains("-march=armv8"));
    assert_eq!(sorted(theirs), sorted(ours));
    for (feature, flag) in PROCESSOR_FLAGS {
        let condition = script.find(&format!(".contains(&\"{feature}\")")).unwrap();
        assert!(
            script[condition..].find(flag).is_some_and(|after| after < 250),
            "{feature} does not turn on {flag}"
        );
    }
    assert!(script.contains(r#"cfg.flag_if_supported(format!("-march={target_cpu_flag}"))"#));
    assert!(script.contains(&format!("env::var(\"{}\").map_or(\"{}\"", STANDARD.0, STANDARD.1)));
}

#[test]
fn the_directories_of_headers_are_those_of_the_build_script() {
    let script = fs::read_to_string(recipe().directory.join("build.rs")).unwrap();
    let others = ["path", "Path::new(&jemalloc_root).join(\"include\")"];
    let theirs = calls(&script, "include").into_iter().filter(|call| !others.contains(&call.as_str()));
    let ours = INCLUDES.into_iter().chain(["snappy/"]).map(|directory| format!("\"{directory}\""));
    assert_eq!(sorted(theirs), sorted(ours));
    for headers in recipe().headers {
        assert!(recipe().directory.join(&headers).is_dir(), "there is no {}", headers.display());
    }
}

#[test]
fn every_call_of_the_build_script_is_one_that_is_compared() {
    let script = fs::read_to_string(recipe().directory.join("build.rs")).unwrap();
    let body = script.split("fn build_rocksdb() {").nth(1).unwrap().split("\nfn ").next().unwrap();
    let methods = body.split("config.").skip(1).map(|rest| rest.split('(').next().unwrap().to_owned());
    assert_eq!(
        sorted(methods),
        ["compile", "cpp", "define", "file", "flag", "flag_if_supported", "get_compiler", "include", "static_crt"]
    );
}

#[test]
fn the_files_are_those_of_the_build_script() {
    let recipe = recipe();
    let script = fs::read_to_string(recipe.directory.join("build.rs")).unwrap();
    assert_eq!(
        sorted(calls(&script, "file")),
        [format!("\"{}\"", VERSION.1), "format!(\"rocksdb/{file}\")".to_owned()]
    );
    assert!(script.contains(&format!("!matches!(*file, \"{}\")", VERSION.0)));
    let files = recipe.files().unwrap();
    assert!(files.len() > 300, "{}", files.len());
    let missing = files.iter().find(|file| !recipe.directory.join(file).is_file());
    assert_eq!(missing, None);
}

#[test]
fn a_codec_of_the_workspace_is_compiled_in() {
    let workspace = Workspace::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let recipe = recipe();
    let compiler = recipe.compiler(&workspace, scratch.path()).unwrap().try_get_compiler().unwrap();
    let flags: Vec<_> = compiler.args().iter().map(|flag| flag.to_string_lossy().into_owned()).collect();
    for flag in ["-DLZ4=1", "-DSNAPPY=1", "-DZSTD=1", "-O3", "-fPIC", "-std=c++20"] {
        assert!(flags.contains(&flag.to_owned()), "{flag} is missing: {flags:?}");
    }
}

#[test]
fn the_directory_names_what_makes_two_libraries_differ() {
    let recipe = Recipe {
        version: "0.19.0+11.8.1".to_owned(),
        directory: PathBuf::new(),
        processor: "x86-64-v2".to_owned(),
        codecs: vec!["lz4", "zstd"],
        defines: vec![],
        headers: vec![],
    };
    assert_eq!(recipe.name(), "rocksdb-0.19.0+11.8.1-lz4-zstd-x86-64-v2");
    assert_eq!(Recipe { codecs: vec![], ..recipe }.name(), "rocksdb-0.19.0+11.8.1-plain-x86-64-v2");
}

#[test]
fn a_feature_that_is_not_built_is_known_as_such() {
    assert!(["lz4", "lz4-sys", "static", "zstd"].into_iter().all(is_known));
    assert!(!["zlib", "rtti", "io-uring"].into_iter().any(is_known));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_processor_is_the_one_of_the_workspace() {
    assert_eq!(processor("rustflags = [\"-Ctarget-cpu=x86-64-v2\"]"), "x86-64-v2");
    assert_eq!(processor(""), "x86_64");
}
