//! `rows`: the rows of a result, one on each line; of a running job, its rows so far.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use job_runner::PageRequest;

use super::{
    CommandResult, Global, ids,
    payload::{self, ResultPage},
    plain::one_line,
    source,
    words::thousands,
};

/// The default number of rows.
pub(super) const LIMIT: &str = "20";

pub(super) fn rows(global: &Global, id: &str, request: PageRequest) -> CommandResult {
    let source = source::read(global)?;
    let id = ids::resolve(&*source, id)?;
    let answer = payload::so_far(&*source, id, request)?;
    let page = ResultPage::read(&answer.body)?;
    let mut out = BufWriter::new(io::stdout().lock());
    for row in &page.rows {
        writeln!(out, "{}", one_line(row.get()))?;
    }
    out.flush()?;
    if let Some(hint) = hint(&page, request).filter(|_| !global.json) {
        eprintln!("{hint}");
    }
    Ok(ExitCode::SUCCESS)
}

/// The note under a page that is not the whole list.
fn hint(page: &ResultPage<'_>, request: PageRequest) -> Option<String> {
    let shown = page.rows.len() as u64;
    let next = request.offset() + shown;
    if page.list.is_none() {
        return Some("this result has no rows: `status` shows its values".to_owned());
    }
    let total = thousands(page.total);
    let (so_far, goes_on) = if page.is_whole {
        ("", format!("--offset {next} goes on, `export` has all"))
    } else {
        (" so far", format!("--offset {next} goes on"))
    };
    match shown {
        0 if page.total == 0 => Some(format!("the result has no rows{so_far}")),
        0 => Some(format!("the result has only {total} rows{so_far}")),
        _ if next < page.total || !page.is_whole => Some(format!("{shown} of {total} rows{so_far}: {goes_on}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_all_says_how_to_go_on() {
        let body = |total: u64, rows: &str| {
            format!(r#"{{"data":{{"outputs":{{"data_total_size":{total},"r":[{rows}]}}}},"status":"complete"}}"#)
        };
        let running = |body: &str| body.replace("complete", "running");
        for (body, offset, expected) in [
            (body(1_234, "1,2"), 5, Some("2 of 1,234 rows: --offset 7 goes on, `export` has all")),
            (body(7, "1,2"), 5, None),
            (body(0, ""), 0, Some("the result has no rows")),
            (body(3, ""), 9, Some("the result has only 3 rows")),
            (running(&body(7, "1,2")), 5, Some("2 of 7 rows so far: --offset 7 goes on")),
            (running(&body(7, "")), 7, Some("the result has only 7 rows so far")),
            (
                r#"{"data":{"outputs":{"a":1}},"status":"complete"}"#.to_owned(),
                0,
                Some("this result has no rows: `status` shows its values"),
            ),
        ] {
            let page = ResultPage::read(body.as_bytes()).unwrap();
            assert_eq!(hint(&page, PageRequest::new(offset, 2).unwrap()).as_deref(), expected, "{body}");
        }
    }
}
