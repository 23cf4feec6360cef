//! [`Download`]: a whole result as lines of text, which a client takes piece by piece.

use std::{io, ops::ControlFlow};

use axum::http::{HeaderMap, HeaderValue, header};
use job_runner::{JobId, JobReader, JobResult, Page, StoreError, job_core::shown, store::ErrorKind};

use crate::{
    export::{Format, ResultWriter},
    failure::ApiFailure,
};

/// The bytes of rows from which a piece is sent.
const PIECE: usize = 128 << 10;

/// The lines of a result, in pieces. It has one piece in memory, for a result of any size.
pub(crate) struct Download {
    job: JobId,
    /// The rows that are still to be sent.
    rows: Page,
    head: Option<Vec<u8>>,
    form: Form,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) format: Format,
    /// See [`ResultWriter::new`].
    pub(crate) guard_formulas: bool,
}

impl Form {
    /// The form that a request asks for: by its parameters, else by `Accept`; `None` if it names none.
    ///
    /// # Errors
    /// When a parameter has another value.
    pub(crate) fn asked(
        format: Option<&str>,
        guard: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, ApiFailure> {
        let guard_formulas = match guard {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let why = format!("parameter guardFormulas is {}: it must be true or false", shown(other));
                return Err(ApiFailure::parameter(why));
            }
        };
        let format = match format {
            Some("csv") => Some(Format::Csv),
            Some("jsonl") => Some(Format::Jsonl),
            Some(other) => {
                let why = format!("parameter format is {}: it must be csv or jsonl", shown(other));
                return Err(ApiFailure::parameter(why));
            }
            None => accepted(headers),
        };
        Ok(format.map(|format| Self { format, guard_formulas }))
    }

    pub(crate) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self.format {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Jsonl => "application/x-ndjson",
        })
    }

    /// The name of the form in an entity tag.
    pub(crate) const fn tag(self) -> &'static str {
        match (self.format, self.guard_formulas) {
            (Format::Csv, false) => "csv",
            (Format::Csv, true) => "csv.guarded",
            (Format::Jsonl, _) => "jsonl",
        }
    }
}

/// The first format in `Accept`. Weights are not looked at: clients that ask for files name one type.
fn accepted(headers: &HeaderMap) -> Option<Format> {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let types = values.flat_map(|value| value.split(',')).map(|one| one.split(';').next().unwrap_or(one).trim());
    types.into_iter().find_map(|one| match one.to_ascii_lowercase().as_str() {
        "text/csv" => Some(Format::Csv),
        "application/x-ndjson" | "application/jsonl" => Some(Format::Jsonl),
        _ => None,
    })
}

impl Download {
    /// Begins with the values of a complete job. It may block.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn new(reader: &JobReader, job: JobId, result: &JobResult, form: Form) -> Result<Self, ApiFailure> {
        let list = result.list.as_ref().map(|list| (list.name(), list.rows()));
        let mut head = Vec::new();
        let lines = ResultWriter::new(form.format, form.guard_formulas, result.outputs.iter(), list, &mut head);
        lines.and_then(ResultWriter::end).map_err(|error| ApiFailure::internal(&error))?;
        Ok(Self { job, rows: reader.rows(job, 0)?, head: Some(head), form })
    }

    /// The next lines.
    fn piece(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut piece = Vec::with_capacity(PIECE + PIECE / 8);
        let mut lines = ResultWriter::new(self.form.format, self.form.guard_formulas, [], None, &mut piece)?;
        let (mut rows, mut bytes) = (0, 0);
        self.rows.for_each(|row| {
            lines.row(row)?;
            rows += 1;
            bytes += row.len();
            Ok::<_, Trouble>(if bytes < PIECE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        lines.end()?;
        self.rows.skip_rows(rows);
        Ok(piece)
    }
}

impl Iterator for Download {
    type Item = Result<Vec<u8>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(head) = self.head.take().filter(|head| !head.is_empty()) {
            return Some(Ok(head));
        }
        if self.rows.is_empty() {
            return None;
        }
        let piece = self.piece().map_err(|trouble| match trouble {
            Trouble::Store(error) => error,
            Trouble::Row(error) => {
                StoreError::new(ErrorKind::Corrupt, "write rows", error.to_string()).on(self.job)
            }
        });
        Some(piece)
    }
}

/// Why a piece could not be made.
enum Trouble {
    Store(StoreError),
    /// A row is not JSON.
    Row(io::Error),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Row(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(format: Option<&str>, accept: &str) -> Option<&'static str> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_str(accept).unwrap())]);
        Form::asked(format, None, &headers).unwrap().map(Form::tag)
    }

    #[test]
    fn a_form_is_asked_for_by_parameter_or_by_header() {
        for (format, accept, expected) in [
            (None, "*/*", None),
            (None, "text/html,application/xhtml+xml,*/*;q=0.8", None),
            (None, "application/json, Text/CSV;q=0.5", Some("csv")),
            (None, "application/x-ndjson", Some("jsonl")),
            (None, "application/jsonl, text/csv", Some("jsonl")),
            (Some("csv"), "application/x-ndjson", Some("csv")),
            (Some("jsonl"), "*/*", Some("jsonl")),
        ] {
            assert_eq!(form(format, accept), expected, "{format:?} {accept}");
        }
        for (format, guard) in [(Some("xml"), None), (Some(""), None), (None, Some("yes"))] {
            assert_eq!(Form::asked(format, guard, &HeaderMap::new()).unwrap_err().code(), "GES.8005");
        }
        let guarded = Form::asked(Some("csv"), Some("true"), &HeaderMap::new()).unwrap();
        assert_eq!(guarded.map(Form::tag), Some("csv.guarded"));
    }
}
