//! The page at `/`: plain HTML and scripts, inside the binary.

use axum::{
    Json, Router,
    extract::{OriginalUri, State},
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::context::Context;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The files that the page loads, below `/page/`.
const FILES: [(&str, &str); 43] = [
    ("acts.js", include_str!("page/acts.js")),
    ("address.js", include_str!("page/address.js")),
    ("aside.js", include_str!("page/aside.js")),
    ("brief.js", include_str!("page/brief.js")),
    ("buttons.js", include_str!("page/buttons.js")),
    ("copy.js", include_str!("page/copy.js")),
    ("damage.js", include_str!("page/damage.js")),
    ("details.js", include_str!("page/details.js")),
    ("dialog.js", include_str!("page/dialog.js")),
    ("download.js", include_str!("page/download.js")),
    ("entry.js", include_str!("page/entry.js")),
    ("field.js", include_str!("page/field.js")),
    ("figures.js", include_str!("page/figures.js")),
    ("filter.js", include_str!("page/filter.js")),
    ("histogram.js", include_str!("page/histogram.js")),
    ("ids.js", include_str!("page/ids.js")),
    ("job.js", include_str!("page/job.js")),
    ("jobs.js", include_str!("page/jobs.js")),
    ("json.js", include_str!("page/json.js")),
    ("keys.js", include_str!("page/keys.js")),
    ("known.js", include_str!("page/known.js")),
    ("lines.js", include_str!("page/lines.js")),
    ("list.js", include_str!("page/list.js")),
    ("merge.js", include_str!("page/merge.js")),
    ("message.js", include_str!("page/message.js")),
    ("new.js", include_str!("page/new.js")),
    ("outputs.js", include_str!("page/outputs.js")),
    ("place.js", include_str!("page/place.js")),
    ("poll.js", include_str!("page/poll.js")),
    ("pulse.js", include_str!("page/pulse.js")),
    ("put.js", include_str!("page/put.js")),
    ("request.js", include_str!("page/request.js")),
    ("row.js", include_str!("page/row.js")),
    ("rows.js", include_str!("page/rows.js")),
    ("service.js", include_str!("page/service.js")),
    ("shape.js", include_str!("page/shape.js")),
    ("states.js", include_str!("page/states.js")),
    ("style.css", include_str!("page/style.css")),
    ("time.js", include_str!("page/time.js")),
    ("timeline.js", include_str!("page/timeline.js")),
    ("values.js", include_str!("page/values.js")),
    ("walk.js", include_str!("page/walk.js")),
    ("words.js", include_str!("page/words.js")),
];

pub(crate) fn routes() -> Router<Context> {
    let router = Router::new().route("/", get(html)).route("/page/config.json", get(config));
    FILES.into_iter().fold(router, |router, (name, source)| {
        router.route(&format!("/page/{name}"), get(move || async move { file(name, source) }))
    })
}

/// The addresses in the page are relative to it. So it works behind a proxy that adds a prefix to all of them.
async fn html(OriginalUri(uri): OriginalUri) -> Response {
    let source = include_str!("page/index.html").replace("\"page/", &format!("\"{}page/", below(uri.path())));
    let mut response = Html(source).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// The beginning of a relative address on a page at this path, so that it is below the path. A host that nests the router
/// at `/x/y` serves the page at `/x/y`, where `page/` would be `/x/page/`.
fn below(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
    // A name with other characters could end the attribute that it stands in.
    if last.is_empty() || !last.chars().all(plain) { String::new() } else { format!("./{last}/") }
}

fn file(name: &str, source: &'static str) -> Response {
    let kind = if let Some((_, "css")) = name.split_once('.') { "text/css" } else { "text/javascript" };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], source).into_response()
}

#[derive(Serialize)]
struct Config {
    project: Option<String>,
}

async fn config(State(api): State<Context>) -> Json<Config> {
    Json(Config { project: api.page_project.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_page_lie_below_its_path_by_this_table() {
        for (path, expected) in [
            ("/", ""),
            ("", ""),
            ("/x/y/", ""),
            ("/x/y", "./y/"),
            ("/x/a:b", ""),
            ("/x/%22", "./%22/"),
            ("/x/\"onload", ""),
        ] {
            assert_eq!(below(path), expected, "{path}");
        }
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/page");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        found.retain(|name| name != "index.html");
        found.sort_unstable();
        assert_eq!(FILES.map(|(name, _)| name).as_slice(), found);
        let bytes: usize = FILES.iter().map(|(_, source)| source.len()).sum();
        assert!(bytes + include_str!("page/index.html").len() < 150_000, "{bytes}");
    }
}
