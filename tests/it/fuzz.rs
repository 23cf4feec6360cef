//! The checks of the fuzz targets without a fuzzer, over the committed inputs and changed ones.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proptest::{prelude::*, sample::Index, test_runner::TestRunner};

type Target = (&'static str, fn(&[u8]));

fn targets() -> Vec<Target> {
    [&job_store::fuzzing::TARGETS[..], &job_http::fuzzing::TARGETS[..]].concat()
}

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(package().join("corpus").join(target)).unwrap();
    files.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_decoder_has_a_fuzz_target_and_a_corpus() {
    let named: BTreeSet<String> = targets().iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&package().join("fuzz_targets")), named);
    assert_eq!(names(&package().join("corpus")), named);
}

#[test]
fn no_input_that_a_fuzzer_kept_breaks_a_decoder() {
    for (name, target) in targets() {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "fuzz/corpus/{name} is empty");
        for input in &inputs {
            target(input);
        }
    }
}

#[test]
fn no_input_like_those_that_a_fuzzer_kept_breaks_a_decoder() {
    for (name, target) in targets() {
        let change = (any::<Index>(), 0..4u8, any::<u8>());
        let input = (prop::sample::select(corpus(name)), prop::collection::vec(change, 0..6));
        let anything = prop::collection::vec(any::<u8>(), 0..300);
        let inputs = prop_oneof![4 => input.prop_map(|(bytes, changes)| changed(bytes, &changes)), 1 => anything];
        // A panic inside is caught, and the smallest input that still makes one is printed.
        TestRunner::new(ProptestConfig::with_cases(2_000))
            .run(&inputs, |input| {
                target(&input);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

fn changed(mut bytes: Vec<u8>, changes: &[(Index, u8, u8)]) -> Vec<u8> {
    for (place, change, byte) in changes {
        let at = place.index(bytes.len() + 1);
        match change {
            0 => bytes.insert(at, *byte),
            1 if at < bytes.len() => bytes[at] = *byte,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}
