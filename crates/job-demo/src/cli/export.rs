//! `export`: a whole result as lines of text, to a file or to standard output.

use std::{
    error::Error,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

use clap::ValueEnum;
use job_http::{ExportFormat, ResultWriter};
use job_runner::{JobId, PageRequest};

use super::{
    CommandResult, Global, ids,
    payload::{self, ResultPage},
    source::{self, Source},
    words::thousands,
};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Values as lines that begin with #, then a record a row
    Csv,
    /// A line of JSON a row; no values
    Jsonl,
}

impl From<Format> for ExportFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Jsonl => Self::Jsonl,
        }
    }
}

pub(super) fn export(global: &Global, id: &str, output: Option<&Path>, format: Option<Format>) -> CommandResult {
    let source = source::read(global)?;
    let id = ids::resolve(&*source, id)?;
    let format = format.unwrap_or_else(|| of_name(output)).into();
    let Some(path) = output else {
        let mut out = BufWriter::new(io::stdout().lock());
        copy(&*source, id, format, &mut out)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    };
    // The result is asked for before the file is made.
    payload::page(&*source, id, PageRequest::new(0, 1)?)?;
    let mut file = BufWriter::new(File::create_new(path).map_err(|error| unwritten(path, &error))?);
    let copied = copy(&*source, id, format, &mut file)
        .and_then(|rows| Ok(file.flush().map(|()| rows).map_err(|error| unwritten(path, &error))?));
    match copied {
        Ok(rows) if !global.json => eprintln!("{} rows in {}", thousands(rows), path.display()),
        Ok(_) => {}
        Err(error) => {
            // A part of a result must not look like a whole one.
            fs::remove_file(path)?;
            return Err(error);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The format by the name of the file.
fn of_name(path: Option<&Path>) -> Format {
    let ending = path.and_then(Path::extension).and_then(OsStr::to_str);
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) { Format::Csv } else { Format::Jsonl }
}

fn unwritten(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{path} exists already: name another file, or remove it"),
        _ => format!("{path} cannot be written: {error}"),
    }
}

/// Writes the whole result, page by page. Returns the number of rows.
fn copy(source: &dyn Source, id: JobId, format: ExportFormat, out: &mut dyn Write) -> Result<u64, Box<dyn Error>> {
    const STEP: u32 = 10_000;
    let mut answer = payload::page(source, id, PageRequest::new(0, STEP)?)?;
    let first = ResultPage::read(&answer.body)?;
    let total = first.total;
    let outputs = first.outputs.iter().map(|(name, value)| (name.as_str(), *value));
    let list = first.list.as_deref().map(|list| (list, total));
    let mut writer = ResultWriter::new(format, false, outputs, list, out)?;
    let mut copied = 0;
    loop {
        let page = ResultPage::read(&answer.body)?;
        for row in &page.rows {
            writer.row(row.get().as_bytes())?;
        }
        let before = copied;
        copied += page.rows.len() as u64;
        if copied >= total {
            writer.end()?;
            return Ok(copied);
        }
        if copied == before {
            return Err(format!("rows of job {id} are gone since the export began").into());
        }
        answer = payload::page(source, id, PageRequest::new(copied, STEP)?)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_says_the_format() {
        for (name, expected) in [
            (None, Format::Jsonl),
            (Some("a.csv"), Format::Csv),
            (Some("a.CSV"), Format::Csv),
            (Some("csv"), Format::Jsonl),
        ] {
            assert_eq!(of_name(name.map(Path::new)), expected, "{name:?}");
        }
    }
}
