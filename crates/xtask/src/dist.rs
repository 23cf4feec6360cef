//! `cargo xtask dist`: a directory with the libraries for hosts in C, which may be moved.

mod archive;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::{
    Outcome,
    arguments::{Options, value},
    process, setup,
    workspace::Workspace,
};

/// The version of the interface, as the name of the shared library has it.
const ABI: &str = "1";

/// The libraries of the system that the static one needs.
pub(crate) const NEEDED: &str = "-lstdc++ -lgcc_s -lm -lpthread -ldl";

/// The arguments of the command.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    out: Option<String>,
    /// Arguments of cargo that choose features.
    features: Vec<String>,
}

pub(crate) fn dist(workspace: &Workspace, options: &Options) -> Outcome {
    let wanted = parse(&options.rest)?;
    setup::setup(workspace, options)?;
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--locked", "--package", "job-ffi"]).args(&wanted.features);
    process::run(&mut cargo)?;
    let built = workspace.target().join("release");
    let out = match wanted.out {
        Some(out) => std::path::absolute(out)?,
        None => workspace.target().join("dist"),
    };
    write(workspace, &built, &out)?;
    eprintln!("dist: {}", out.display());
    Ok(())
}

fn parse(arguments: &[String]) -> Outcome<Wanted> {
    let mut wanted = Wanted { out: None, features: Vec::new() };
    let mut arguments = arguments.iter().cloned();
    while let Some(argument) = arguments.next() {
        if argument == "--no-default-features" {
            wanted.features.push(argument);
        } else if let Some(out) = value(&argument, "--out", &mut arguments) {
            wanted.out = Some(out).filter(|out| !out.is_empty());
            wanted.out.as_ref().ok_or("--out needs a directory after it")?;
        } else if let Some(features) = value(&argument, "--features", &mut arguments) {
            wanted.features.extend(["--features".to_owned(), features]);
        } else {
            return Err(format!("`dist` takes no argument `{argument}`: see `cargo xtask help dist`").into());
        }
    }
    Ok(wanted)
}

/// Writes the directory from what cargo has built.
pub(crate) fn write(workspace: &Workspace, built: &Path, out: &Path) -> Outcome {
    let [include, lib] = ["include", "lib"].map(|name| out.join(name));
    for directory in [&include, &lib.join("pkgconfig"), &lib.join("cmake/job")] {
        fs::create_dir_all(directory)?;
    }
    fs::copy(workspace.root.join("crates/job-ffi/include/job.h"), include.join("job.h"))?;
    let shared = lib.join(format!("libjob.so.{ABI}"));
    fs::copy(built.join("libjob.so"), &shared)?;
    link(&format!("libjob.so.{ABI}"), &lib.join("libjob.so"))?;
    archive::write(&built.join("libjob.a"), &lib.join("libjob.a"))?;
    let version = version(workspace)?;
    fs::write(lib.join("pkgconfig/job.pc"), pkg_config(&version))?;
    fs::write(lib.join("cmake/job/jobConfig.cmake"), CMAKE.replace("@ABI@", ABI).replace("@NEEDED@", NEEDED))?;
    fs::write(lib.join("cmake/job/jobConfigVersion.cmake"), cmake_version(&version))?;
    Ok(())
}

fn link(to: &str, place: &PathBuf) -> Outcome {
    if place.symlink_metadata().is_ok() {
        fs::remove_file(place)?;
    }
    Ok(symlink(to, place)?)
}

fn version(workspace: &Workspace) -> Outcome<String> {
    let metadata = workspace.metadata()?;
    let members = metadata.members();
    let package = members.iter().find(|member| member.name() == "job-ffi");
    Ok(package.ok_or("the workspace has no package job-ffi")?.version().to_owned())
}

fn pkg_config(version: &str) -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\n\
         libdir=${{prefix}}/lib\n\
         includedir=${{prefix}}/include\n\
         \n\
         Name: job\n\
         Description: An embedded job engine for graph engines\n\
         Version: {version}\n\
         Cflags: -I${{includedir}}\n\
         Libs: -L${{libdir}} -ljob\n\
         Libs.private: {NEEDED}\n"
    )
}

/// `job::job` is the shared library, `job::static` the other.
const CMAKE: &str = r#"get_filename_component(_job_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET job::job)
  add_library(job::job SHARED IMPORTED)
  set_target_properties(job::job PROPERTIES
    IMPORTED_LOCATION "${_job_prefix}/lib/libjob.so.@ABI@"
    IMPORTED_SONAME "libjob.so.@ABI@"
    INTERFACE_INCLUDE_DIRECTORIES "${_job_prefix}/include")
  add_library(job::static STATIC IMPORTED)
  set_target_properties(job::static PROPERTIES
    IMPORTED_LOCATION "${_job_prefix}/lib/libjob.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_job_prefix}/include"
    INTERFACE_LINK_LIBRARIES "@NEEDED@")
endif()
unset(_job_prefix)
"#;

/// Versions before 1.0 that have the same second number are compatible.
fn cmake_version(version: &str) -> String {
    let compatible = version.rsplit_once('.').map_or(version, |(compatible, _)| compatible);
    format!(
        "set(PACKAGE_VERSION \"{version}\")\n\
         if(PACKAGE_FIND_VERSION VERSION_LESS_EQUAL PACKAGE_VERSION AND NOT PACKAGE_FIND_VERSION VERSION_LESS \"{compatible}\")\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE TRUE)\n\
         endif()\n\
         if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)\n\
         \x20 set(PACKAGE_VERSION_EXACT TRUE)\n\
         endif()\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_and_features_are_arguments() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let wanted = parse(&words("--out there --no-default-features --features=redb")).unwrap();
        let features = words("--no-default-features --features redb");
        assert_eq!(wanted, Wanted { out: Some("there".to_owned()), features });
        assert!(parse(&words("there")).unwrap_err().to_string().contains("`there`"));
        assert!(parse(&words("--out")).unwrap_err().to_string().contains("directory"));
    }

    #[test]
    fn the_files_of_the_distribution_name_no_directory_of_this_machine() {
        let version = "0.1.0";
        let files = [pkg_config(version), CMAKE.to_owned(), cmake_version(version)];
        let root = Workspace::locate().unwrap().root.display().to_string();
        assert!(files.iter().all(|file| !file.contains(&root)));
        assert!(pkg_config(version).contains("prefix=${pcfiledir}/../..\n"));
    }

    #[test]
    fn the_version_of_the_interface_is_the_one_of_the_sources() {
        let root = Workspace::locate().unwrap().root;
        let source = fs::read_to_string(root.join("crates/job-ffi/src/engine.rs")).unwrap();
        assert!(source.contains(&format!("JOB_ABI_VERSION: u32 = {ABI};")));
        let script = fs::read_to_string(root.join("crates/job-ffi/build.rs")).unwrap();
        assert!(script.contains(&format!("-Wl,-soname,libjob.so.{ABI}\"")));
    }
}
