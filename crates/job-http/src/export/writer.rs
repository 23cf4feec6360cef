//! [`ResultWriter`]: a result as lines of text.

use std::{
    fmt,
    io::{self, Write},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{csv, jsonl};

/// The format of an exported result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Values as lines that begin with `#`, then a record of comma-separated fields a row.
    #[default]
    Csv,
    /// A line of JSON a row; no values.
    Jsonl,
}

impl Format {
    /// The extension of the file's name, without a dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

/// Writes a result as an export does.
///
/// ```
/// use job_http::{ExportFormat, ResultWriter};
///
/// let mut file = Vec::new();
/// let outputs = [("runtime", "0.25")];
/// let mut writer = ResultWriter::new(ExportFormat::Csv, false, outputs, Some(("vertices", 1)), &mut file)?;
/// writer.row(br#"{"id":"Sarah","Age":24}"#)?;
/// writer.end()?;
/// assert_eq!(String::from_utf8(file)?, "# runtime: 0.25\n# data_total_size: 1\n# vertices:\nSarah,24\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ResultWriter<'w>(Lines<'w>);

enum Lines<'w> {
    Csv(Box<csv::Records<&'w mut dyn Write>>),
    Jsonl(&'w mut dyn Write),
}

impl fmt::Debug for ResultWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultWriter").finish_non_exhaustive()
    }
}

impl<'w> ResultWriter<'w> {
    /// Writes the lines before the rows: names and JSON of the values, the name of the list, and its number of
    /// rows. With `guard_formulas`, a text of a CSV file that a spreadsheet would read as a formula begins with
    /// `'`.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn new<'r>(
        format: Format,
        guard_formulas: bool,
        outputs: impl IntoIterator<Item = (&'r str, &'r str)>,
        list: Option<(&str, u64)>,
        out: &'w mut dyn Write,
    ) -> io::Result<Self> {
        if format == Format::Jsonl {
            return Ok(Self(Lines::Jsonl(out)));
        }
        csv::head(outputs, list, guard_formulas, out)?;
        Ok(Self(Lines::Csv(Box::new(csv::Records::new(out, guard_formulas)))))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When `json` is not JSON, or the output fails.
    pub fn row(&mut self, json: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Lines::Csv(records) => records.row(json),
            Lines::Jsonl(out) => jsonl::row(json, out),
        }
    }

    /// Writes the buffered rest.
    ///
    /// # Errors
    /// When the output fails.
    pub fn end(self) -> io::Result<()> {
        match self.0 {
            Lines::Csv(mut records) => records.flush(),
            Lines::Jsonl(out) => out.flush(),
        }
    }
}
