//! libclang, with which bindgen reads RocksDB's C header at build time.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, process};

use super::{debian, pip, say};

/// The environment variable that chooses one way to find libclang.
const WAY: &str = "JOB_ENGINE_LIBCLANG";
const WHEEL: &str = "libclang==18.1.1";

/// The settings for cargo; none if bindgen finds libclang by itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Libclang {
    pub(super) directory: Option<PathBuf>,
    /// The compiler's own headers (`stdbool.h`), if libclang comes without them.
    pub(super) headers: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    System,
    Apt,
    Wheel,
}

/// Finds libclang. If there is none, installs Debian's as root, or puts PyPI's into the cache.
pub(super) fn find(cache: &Path) -> Outcome<Libclang> {
    let mut reasons = Vec::new();
    for way in ways(env::var(WAY).ok().as_deref())? {
        let found = match way {
            Way::System => system(),
            Way::Apt => apt(),
            Way::Wheel => wheel(cache),
        };
        match found {
            Ok(libclang) => return Ok(libclang),
            Err(reason) => reasons.push(reason.to_string()),
        }
    }
    let reasons = reasons.join("; ");
    Err(format!("libclang is missing and could not be installed ({reasons}): install Debian's (`sudo apt-get install libclang-dev`), or python3 so that it is downloaded (`sudo apt-get install python3`), or set LIBCLANG_PATH to its directory").into())
}

fn ways(forced: Option<&str>) -> Result<Vec<Way>, String> {
    Ok(match forced {
        None | Some("") => vec![Way::System, Way::Apt, Way::Wheel],
        Some("system") => vec![Way::System],
        Some("apt") => vec![Way::Apt],
        Some("wheel") => vec![Way::Wheel],
        Some(other) => {
            return Err(format!("{WAY} is `{other}`: it can be `system`, `apt` or `wheel`"));
        }
    })
}

fn system() -> Outcome<Libclang> {
    let named = env::var_os("LIBCLANG_PATH").and_then(|path| named(Path::new(&path)));
    let is_named = named.is_some();
    let library = named.or_else(installed).ok_or("none is installed")?;
    let directory = library.parent().filter(|directory| is_named || !bindgen_looks_in(directory));
    let directory = directory.map(Path::to_owned);
    let headers = if has_headers(&library) { None } else { Some(compiler_headers()?) };
    Ok(Libclang { directory, headers })
}

fn apt() -> Outcome<Libclang> {
    if !debian::is_root() {
        return Err("only root can install Debian packages".into());
    }
    say("installing libclang from Debian (some 30 MB with LLVM)");
    let default_version = || packages(&debian::dependencies("libclang-dev"));
    let mut packages = default_version();
    if packages.is_none() {
        debian::update()?;
        packages = default_version();
    }
    let packages = packages.unwrap_or_else(|| vec!["libclang-dev".to_owned()]);
    debian::install(&packages)?;
    system()
}

/// The packages of the library and its headers, in the release's default version: a tenth of `libclang-dev`.
fn packages(dependencies: &[String]) -> Option<Vec<String>> {
    let mut names = dependencies.iter();
    let version = names.find_map(|name| name.strip_prefix("libclang-")?.strip_suffix("-dev"))?;
    Some(vec![format!("libclang1-{version}"), format!("libclang-common-{version}-dev")])
}

fn wheel(cache: &Path) -> Outcome<Libclang> {
    let into = cache.join(WHEEL.replace("==", "-"));
    let directory = into.join("clang/native");
    if library_in(&directory).is_none() {
        say("downloading libclang from PyPI (25 MB)");
        pip::install(WHEEL, &into, cache)?;
        library_in(&directory).ok_or("the wheel from PyPI holds no library")?;
    }
    Ok(Libclang { directory: Some(directory), headers: Some(compiler_headers()?) })
}

/// The library that `LIBCLANG_PATH` names, as a file or by its directory.
fn named(path: &Path) -> Option<PathBuf> {
    if path.is_file() { Some(path.to_owned()) } else { library_in(path) }
}

/// The newest library that is installed.
fn installed() -> Option<PathBuf> {
    let found = usual_directories().into_iter().filter_map(|directory| library_in(&directory));
    found.chain(known_to_ldconfig()).max_by_key(|library| version(library))
}

fn usual_directories() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for prefix in ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"].map(Path::new) {
        directories.extend([prefix.to_owned(), prefix.join(format!("{}-linux-gnu", env::consts::ARCH))]);
        let below = fs::read_dir(prefix).into_iter().flatten().flatten();
        let llvm = below.filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm"));
        directories.extend(llvm.map(|entry| entry.path().join("lib")));
    }
    directories
}

fn known_to_ldconfig() -> Vec<PathBuf> {
    let program = ["/sbin/ldconfig", "/usr/sbin/ldconfig"].into_iter().find(|path| Path::new(path).exists());
    let list = program.and_then(|program| process::output(Command::new(program).arg("-p")).ok());
    parse_ldconfig(&list.unwrap_or_default())
}

fn parse_ldconfig(list: &str) -> Vec<PathBuf> {
    let paths = list.lines().filter_map(|line| Some(PathBuf::from(line.split_once("=> ")?.1.trim())));
    paths.filter(|path| is_libclang(path)).collect()
}

fn library_in(directory: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    files.filter(|path| is_libclang(path) && path.exists()).max_by_key(|path| version(path))
}

/// `libclang.so`, `libclang.so.1`, `libclang-14.so.14.0.6`; not `libclang-cpp.so.14`, which is another library.
fn is_libclang(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(rest) = name.strip_prefix("libclang") else {
        return false;
    };
    let rest = rest.strip_prefix('-').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest == ".so" || rest.starts_with(".so.")
}

/// The major version in the name; zero when it names none.
fn version(path: &Path) -> u32 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digits = name.strip_prefix("libclang-").and_then(|rest| rest.split('.').next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Whether bindgen searches the directory without being told.
fn bindgen_looks_in(directory: &Path) -> bool {
    let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"].iter().any(|known| real.starts_with(known))
}

/// Whether the package with the library's own headers is installed.
fn has_headers(library: &Path) -> bool {
    let real = library.canonicalize();
    let beside = [Some(library), real.as_deref().ok()].into_iter().flatten().filter_map(Path::parent);
    let debian = PathBuf::from(format!("/usr/lib/llvm-{}/lib", version(library)));
    let directories: Vec<_> = beside.map(Path::to_owned).chain([debian]).collect();
    directories.iter().any(|directory| {
        let versions = fs::read_dir(directory.join("clang")).into_iter().flatten().flatten();
        versions.map(|entry| entry.path().join("include/stdbool.h")).any(|header| header.exists())
    })
}

/// The headers of gcc, which serve libclang as well.
fn compiler_headers() -> Outcome<PathBuf> {
    let path = process::output(Command::new("gcc").arg("-print-file-name=include"))?;
    let path = PathBuf::from(path.trim());
    if path.join("stdbool.h").exists() {
        return Ok(path);
    }
    Err("gcc has no stdbool.h: install it anew, or libclang-dev (`sudo apt-get install gcc libclang-dev`)".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libclang_is_known_by_its_name() {
        for name in ["libclang.so", "libclang.so.1", "libclang-14.so.14.0.6", "libclang-16.so"] {
            assert!(is_libclang(Path::new(name)), "{name}");
        }
        for name in ["libclang-cpp.so.14", "libclang-cpp14.so", "libclangAST.a", "libLLVM-14.so", "libclang.a"] {
            assert!(!is_libclang(Path::new(name)), "{name}");
        }
        assert_eq!(version(Path::new("/usr/lib/libclang-14.so.14.0.6")), 14);
        assert_eq!(version(Path::new("/usr/lib/libclang.so.1")), 0);
    }

    #[test]
    fn ldconfig_lists_it_among_others() {
        let list = "12 libs found in cache\n\tlibclang-cpp.so.14 (libc6,x86-64) => /l/libclang-cpp.so.14\n\
                    \tlibclang-14.so.13 (libc6,x86-64) => /l/libclang-14.so.13\n";
        assert_eq!(parse_ldconfig(list), [PathBuf::from("/l/libclang-14.so.13")]);
    }

    #[test]
    fn the_packages_follow_the_default_version_of_the_release() {
        let depends = ["libclang-14-dev".to_owned()];
        assert_eq!(packages(&depends), Some(vec!["libclang1-14".to_owned(), "libclang-common-14-dev".to_owned()]));
        assert_eq!(packages(&[]), None);
    }

    #[test]
    fn one_way_can_be_forced() {
        assert_eq!(ways(None).unwrap().len(), 3);
        assert_eq!(ways(Some("wheel")).unwrap(), [Way::Wheel]);
        assert!(ways(Some("whel")).unwrap_err().contains("`whel`"));
    }

    #[test]
    fn libclang_path_may_name_a_file_or_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("libclang.so");
        assert_eq!(named(directory.path()), None);
        fs::write(&library, "").unwrap();
        assert_eq!(named(directory.path()), Some(library.clone()));
        assert_eq!(named(&library), Some(library));
    }
}
