use super::*;

/// The recipe of each edition, with the build script that it is compared with. The packages of hosts are missing where
/// they were never downloaded and there is no network.
fn recipes() -> Vec<(Recipe, String)> {
    let workspace = Workspace::locate().unwrap();
    let [own, hosts] = workspace.linked().map(|directory| Recipe::of(&workspace, &directory));
    let hosts = hosts.inspect_err(|why| {
        assert!(why.to_string().contains("once a network is there"), "{why}");
        eprintln!("the recipe of the hosts is not compared: {why}");
    });
    [own.unwrap()].into_iter().chain(hosts).map(with_script).collect()
}

fn with_script(recipe: Recipe) -> (Recipe, String) {
    let script = fs::read_to_string(recipe.directory.join("build.rs")).unwrap();
    (recipe, script)
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
const OTHER_DEFINES: [&str; 23] = [
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
    for (recipe, script) in recipes() {
        let ours = DEFINES.map(|(name, value)| define(name, value));
        let of_edition = recipe.edition.defines.iter().map(|name| define(name, None));
        let codecs = CODECS.map(|codec| define(codec.define, Some("1")));
        let is_other = |call: &String| {
            OTHER_DEFINES
                .iter()
                .chain(&OTHER_DEFINES_ON_LINUX)
                .any(|name| call.starts_with(&format!("\"{name}\"")))
        };
        let theirs = calls(&script, "define").into_iter().filter(|call| !is_other(call));
        assert_eq!(sorted(theirs), sorted(ours.into_iter().chain(of_edition).chain(codecs)));
    }
}

#[test]
fn the_flags_are_those_of_the_build_script() {
    for (recipe, script) in recipes() {
        flags_are_those_of(recipe.edition, &script);
    }
}

fn flags_are_those_of(edition: &Edition, script: &str) {
    let quoted = |flag: &str| format!("\"{flag}\"");
    let ours = FLAGS.iter().chain(edition.flags).map(|flag| quoted(flag)).chain(["cxx_standard()".to_owned()]);
    // Of other compilers and systems.
    let mut others = vec!["-flto", "-EHsc", "-std:c++20", "-std:c++17"];
    if edition.flags.is_empty() {
        assert!(
            script.contains("} else if !target.contains(\"windows\") {\n        config.cpp_link_stdlib(\"c++\")")
        );
        others.extend(["-include", "cstdint"]);
    }
    let others: Vec<_> = others.into_iter().map(quoted).collect();
    let theirs = calls(script, "flag").into_iter().filter(|flag| !others.contains(flag));
    assert_eq!(sorted(theirs), sorted(ours));

    let ours = PROCESSOR_FLAGS.map(|(_, flag)| quoted(flag));
    // The dialect is there without a condition too.
    let others = ["\"-march=armv8", "\"-std=c++17\""];
    let is_other = |flag: &String| others.iter().any(|other| flag.starts_with(other));
    let theirs = calls(script, "flag_if_supported").into_iter().filter(|flag| !is_other(flag));
    assert_eq!(sorted(theirs), sorted(ours));
    for (feature, flag) in PROCESSOR_FLAGS {
        let condition = script.find(&format!(".contains(&\"{feature}\")")).unwrap();
        assert!(
            script[condition..].find(flag).is_some_and(|after| after < 250),
            "{feature} does not turn on {flag}"
        );
    }
    let named = script.contains(r#"cfg.flag_if_supported(format!("-march={target_cpu_flag}"))"#);
    assert_eq!(named, edition.names_processor);
    assert!(script.contains(&format!("env::var(\"{STANDARD}\").map_or(\"{}\"", edition.standard)));
}

#[test]
fn the_directories_of_headers_are_those_of_the_build_script() {
    for (recipe, script) in recipes() {
        let others = ["path", "Path::new(&jemalloc_root).join(\"include\")"];
        let theirs = calls(&script, "include").into_iter().filter(|call| !others.contains(&call.as_str()));
        let ours = INCLUDES.into_iter().chain(["snappy/"]).map(|directory| format!("\"{directory}\""));
        assert_eq!(sorted(theirs), sorted(ours));
        for headers in recipe.headers {
            assert!(recipe.directory.join(&headers).is_dir(), "there is no {}", headers.display());
        }
    }
}

#[test]
fn every_call_of_the_build_script_is_one_that_is_compared() {
    const COMPARED: [&str; 9] =
        ["compile", "cpp", "define", "file", "flag", "flag_if_supported", "get_compiler", "include", "static_crt"];
    for (recipe, script) in recipes() {
        let body = script.split("fn build_rocksdb() {").nth(1).unwrap().split("\nfn ").next().unwrap();
        let methods = body.split("config.").skip(1).map(|rest| rest.split('(').next().unwrap().to_owned());
        // Linking is left to cargo.
        let methods = methods.filter(|method| method != "cpp_link_stdlib");
        assert_eq!(sorted(methods), COMPARED, "{}", recipe.version);
    }
}

#[test]
fn the_files_are_those_of_the_build_script() {
    for (recipe, script) in recipes() {
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
}

#[test]
fn a_codec_of_the_workspace_is_compiled_in() {
    let workspace = Workspace::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    for (recipe, _) in recipes() {
        let compiler = recipe.compiler(&workspace, scratch.path()).unwrap().try_get_compiler().unwrap();
        let flags: Vec<_> = compiler.args().iter().map(|flag| flag.to_string_lossy().into_owned()).collect();
        for flag in ["-DLZ4=1", "-DSNAPPY=1", "-DZSTD=1", "-O3", "-fPIC", recipe.edition.standard] {
            assert!(flags.contains(&flag.to_owned()), "{flag} is missing: {flags:?}");
        }
    }
}

#[test]
fn the_directory_names_what_makes_two_libraries_differ() {
    let recipe = Recipe {
        version: "0.19.0+11.8.1".to_owned(),
        directory: PathBuf::new(),
        processor: "x86-64-v2".to_owned(),
        codecs: vec!["lz4", "zstd"],
        edition: Edition::of("0.19.0").unwrap(),
        defines: vec![],
        headers: vec![],
    };
    assert_eq!(recipe.name(), "rocksdb-0.19.0+11.8.1-lz4-zstd-x86-64-v2");
    assert_eq!(Recipe { codecs: vec![], ..recipe }.name(), "rocksdb-0.19.0+11.8.1-plain-x86-64-v2");
}

#[test]
fn a_feature_that_is_not_built_is_known_as_such() {
    assert!(["lz4", "lz4-sys", "static", "zlib", "libz-sys", "zstd"].into_iter().all(is_known));
    assert!(!["jemalloc", "rtti", "io-uring"].into_iter().any(is_known));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_processor_is_the_one_of_the_workspace() {
    assert_eq!(processor("rustflags = [\"-Ctarget-cpu=x86-64-v2\"]"), "x86-64-v2");
    assert_eq!(processor(""), "x86_64");
}
