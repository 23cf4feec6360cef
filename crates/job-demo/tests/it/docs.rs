//! docs/http.md has every algorithm with its parameters. `JOB_WRITE_DOCS=1` writes that list anew.

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use job_demo::algorithms::Algorithm;

const BEGIN: &str =
    "<!-- algorithms: written by the test the_algorithms_in_the_document_are_those_of_the_code -->\n";
const END: &str = "<!-- end of algorithms -->\n";

#[test]
fn the_algorithms_in_the_document_are_those_of_the_code() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: PathBuf = package.join("../../docs/http.md");
    let expected: String = Algorithm::ALL.iter().map(|algorithm| chapter(package, algorithm.name())).collect();
    let text = fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("docs/http.md has the mark where its algorithms begin");
    let (written, tail) = rest.split_once(END).expect("docs/http.md has the mark where its algorithms end");
    if env::var_os("JOB_WRITE_DOCS").is_some() && written != expected {
        fs::write(&path, [head, BEGIN, &expected, END, tail].concat()).unwrap();
        return;
    }
    assert_eq!(written, expected, "run this test with JOB_WRITE_DOCS=1, and commit docs/http.md");
}

#[test]
fn the_readme_says_how_many_algorithms_there_are() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let many = format!(" {} algorithms ", Algorithm::ALL.len());
    assert!(fs::read_to_string(readme).unwrap().contains(&many), "the README does not say{many}");
}

/// The purpose, the parameters and the result of an algorithm, out of the comments of its file.
fn chapter(package: &Path, name: &str) -> String {
    let source = fs::read_to_string(package.join(format!("src/algorithms/{name}.rs"))).unwrap();
    let purpose = source.lines().next().unwrap().trim_start_matches("//! ");
    let (_, purpose) =
        purpose.split_once(": ").unwrap_or_else(|| panic!("{name}.rs does not begin with its purpose"));
    let mut text = format!("\n### `{name}`\n\nPurpose: {purpose}\n\n");
    let parameters = parameters(&source);
    if parameters.is_empty() {
        text.push_str("It takes no parameters.\n");
    } else {
        text.push_str("| parameter | meaning |\n| --- | --- |\n");
        for parameter in parameters {
            let (parameter, meaning) = parameter.split_once(": ").unwrap();
            writeln!(text, "| {parameter} | {meaning} |").unwrap();
        }
    }
    text + &format!("\nResult: {}\n", comment_before(&source, "fn answer("))
}

/// The comments of the fields that a request is read into.
fn parameters(source: &str) -> Vec<String> {
    let (_, rest) = source.split_once("#[serde(try_from = \"Fields\")]\n").unwrap();
    let mut parameters = Vec::new();
    let mut comment = Vec::new();
    for line in
        rest.lines().skip(1).map(str::trim).take_while(|line| line.starts_with("///") || line.starts_with("pub "))
    {
        match line.strip_prefix("/// ") {
            Some(text) => comment.push(text),
            None => parameters.push(std::mem::take(&mut comment).join(" ")),
        }
    }
    parameters
}

/// The comment before the line with this text, up to its first heading.
fn comment_before(source: &str, text: &str) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let at = lines.iter().position(|line| line.contains(text)).unwrap();
    let mut comment: Vec<&str> =
        lines[..at].iter().rev().map_while(|line| line.trim().strip_prefix("///")).map(str::trim).collect();
    comment.reverse();
    comment.into_iter().take_while(|line| !line.is_empty() && !line.starts_with('#')).collect::<Vec<_>>().join(" ")
}
