//! The static library with the names of its header alone. RocksDB and the other native libraries inside have local
//! names, so the host may link its own.

use std::{fs, path::Path, process::Command};

use crate::{Outcome, process};

/// Writes the archive `to` from the archive `from`, which cargo has built.
pub(super) fn write(from: &Path, to: &Path) -> Outcome {
    let directory = to.with_extension("parts");
    fs::create_dir_all(&directory)?;
    let [whole, local] = ["whole.o", "job.o"].map(|name| directory.join(name));
    // One object of all. Groups of sections are dissolved: the linker of the host would drop one of ours for its own.
    let mut linker = Command::new("ld");
    linker.args(["-r", "--force-group-allocation", "-o"]).arg(&whole).arg("--whole-archive").arg(from);
    process::output(&mut linker)?;
    let mut object = fs::read(&whole)?;
    make_unique_global(&mut object)?;
    fs::write(&whole, object)?;
    let mut objcopy = Command::new("objcopy");
    // The bitcode of the compiler has no use any more, and the archiver cannot read it in pieces.
    objcopy.args(["--strip-debug", "--remove-section=.llvmbc", "--remove-section=.llvmcmd"]);
    objcopy.args(["--wildcard", "--keep-global-symbol=job_*"]).arg(&whole).arg(&local);
    process::output(&mut objcopy)?;
    if to.exists() {
        fs::remove_file(to)?;
    }
    process::output(Command::new("ar").arg("rcs").arg(to).arg(&local))?;
    Ok(fs::remove_dir_all(directory)?)
}

/// Gives names that are unique in a process (`STB_GNU_UNIQUE`) the binding of all others: objcopy makes no unique name
/// local. C++ has them for static data of inline functions.
fn make_unique_global(object: &mut [u8]) -> Outcome {
    const SYMBOLS: u32 = 2;
    const SYMBOL: usize = 24;
    const UNIQUE: u8 = 10;
    const GLOBAL: u8 = 1;
    if object.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err(
            "the object is no ELF of 64 bits, the lower byte first: the static library is for such machines"
                .into(),
        );
    }
    let sections = number(object, 0x28)?;
    let counted = u16::try_from(number(object, 0x3c)? & 0xffff)?;
    // Where they are too many, the first section has their number.
    let count = if counted == 0 { number(object, sections + 0x20)? } else { counted.into() };
    for section in (0..count).map(|index| sections + index * 64) {
        if u32::try_from(number(object, section)? >> 32)? != SYMBOLS {
            continue;
        }
        let (start, size) = (number(object, section + 0x18)?, number(object, section + 0x20)?);
        let symbols = object.get_mut(start..start + size).ok_or("the object has symbols beyond its end")?;
        for information in symbols.iter_mut().skip(4).step_by(SYMBOL) {
            if *information >> 4 == UNIQUE {
                *information = GLOBAL << 4 | *information & 0xf;
            }
        }
    }
    Ok(())
}

/// The number of 64 bits at this place.
#[expect(clippy::little_endian_bytes, reason = "the format of another program")]
fn number(object: &[u8], at: usize) -> Outcome<usize> {
    let bytes = object.get(at..).and_then(|rest| rest.first_chunk::<8>());
    let bytes = bytes.ok_or("the object ends before its headers do")?;
    Ok(usize::try_from(u64::from_le_bytes(*bytes))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "
        template <typename T> struct Shared { static int value() { static int value = 7; return ++value; } };
        extern \"C\" int job_value() { return Shared<int>::value(); }
        int other() { return job_value(); }
    ";

    /// In C++: static data of a template is unique, and an ordinary function global.
    #[test]
    fn the_archive_has_the_names_of_the_header_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        fs::write(file("a.cpp"), SOURCE).unwrap();
        if process::output(Command::new("g++").args(["-c", "-o"]).arg(file("a.o")).arg(file("a.cpp"))).is_err() {
            return eprintln!("skipped: there is no g++");
        }
        process::output(Command::new("ar").arg("rcs").arg(file("a.a")).arg(file("a.o"))).unwrap();
        let names = |archive: &str| {
            let mut nm = Command::new("nm");
            nm.args(["--defined-only", "--extern-only", "--format=posix"]).arg(file(archive));
            let told = process::output(&mut nm).unwrap();
            let words = told.lines().filter_map(|line| line.split_once(' ').map(|(name, _)| name.to_owned()));
            words.collect::<Vec<_>>()
        };
        assert!(names("a.a").len() > 2, "{:?}", names("a.a"));
        write(&file("a.a"), &file("b.a")).unwrap();
        assert_eq!(names("b.a"), ["job_value"]);
        // A second one, on top.
        write(&file("a.a"), &file("b.a")).unwrap();
        assert_eq!(names("b.a"), ["job_value"]);
    }

    #[test]
    fn a_file_that_is_no_object_is_refused() {
        assert!(make_unique_global(&mut []).is_err());
        assert!(make_unique_global(&mut [0; 100]).is_err());
        assert!(make_unique_global(&mut b"\x7fELF\x02\x01".to_vec()).is_err());
    }
}
