//! [`Origins`]: the pages that may send requests, and the names of this API.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Uri, header, uri::Authority},
};
use job_runner::{job_core::shown, wire::ErrorCode};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::{ending::ENDING, failure::ApiFailure};

/// The pages that may send requests to this API from a browser, and the names under which it is reached.
///
/// A browser lets any page of any site send requests to any address, also on the user's own machine and network.
/// So by default only pages of the API's own origin are answered. A program that is no browser sends no origin,
/// and is answered.
///
/// A page may also have a name whose owner has pointed it to this machine's address meanwhile. So
/// [`serve`](crate::serve), when it listens on a loopback address, answers only under certain names. They are
/// `localhost`, names below it, addresses, and the names of [`host`](Self::host).
///
/// ```
/// use job_http::Origins;
///
/// let origins = Origins::default().allow("https://console.example.com")?.host("jobs.example.com");
/// # Ok::<(), job_http::InvalidOrigin>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Origins {
    any: bool,
    allowed: Vec<HeaderValue>,
    hosts: Vec<String>,
}

/// A text that is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no origin: it must be http:// or https://, a host in lower case, and a port where it is not the default"
)]
pub struct InvalidOrigin(String);

impl Origins {
    /// Lets every page of every site send requests (CORS). It is for a service in which every request
    /// authenticates itself by a header.
    #[must_use]
    pub const fn any() -> Self {
        Self { any: true, allowed: Vec::new(), hosts: Vec::new() }
    }

    /// Lets pages of this origin send requests (CORS). It is spelled as browsers do:
    /// `https://console.example.com`.
    ///
    /// # Errors
    /// When browsers do not spell an origin like that.
    pub fn allow(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin(origin.chars().take(64).collect());
        let spelled = parse(origin).map(|(scheme, authority)| format!("{scheme}://{authority}"));
        if spelled.as_deref() != Some(origin) || origin.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid());
        }
        self.allowed.push(HeaderValue::from_str(origin).map_err(|_| invalid())?);
        Ok(self)
    }

    /// Adds a name under which this API is reached, such as that of a proxy. With such names, requests under
    /// others are refused at any address.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// The layer that tells browsers which other pages may send requests, if there are any.
    pub(crate) fn cors(&self) -> Option<CorsLayer> {
        let origins = match (self.any, self.allowed.as_slice()) {
            (true, _) => AllowOrigin::any(),
            (false, []) => return None,
            (false, allowed) => AllowOrigin::list(allowed.iter().cloned()),
        };
        let layer = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST, Method::DELETE])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([header::ETAG, header::RETRY_AFTER, header::LOCATION, ENDING]);
        Some(layer)
    }

    /// Whether a page of another site has sent the request. Only navigation may come from there: a user who
    /// follows a link.
    fn is_foreign(&self, method: &Method, host: Option<&Authority>, headers: &HeaderMap) -> bool {
        let origin = headers.get(header::ORIGIN);
        if self.any || origin.is_some_and(|origin| self.allowed.contains(origin)) {
            return false;
        }
        let is = |name: &str, value: &[u8]| headers.get(name).is_some_and(|is| is.as_bytes() == value);
        if headers.contains_key("sec-fetch-site") {
            // The browser says it by this header; `none` is a user who has typed the address.
            let own = is("sec-fetch-site", b"same-origin") || is("sec-fetch-site", b"none");
            let link = method.is_safe() && is("sec-fetch-mode", b"navigate");
            return !(own || link);
        }
        let own = |origin: &HeaderValue| {
            let (scheme, origin) = parse(origin.to_str().ok()?)?;
            Some(same(&scheme, &origin, host?))
        };
        origin.is_some_and(|origin| own(origin) != Some(true))
    }

    /// Whether the API does not have this name.
    fn is_strange(&self, host: &str, on_loopback: bool) -> bool {
        if self.hosts.is_empty() && !on_loopback {
            return false;
        }
        let host = host.trim_end_matches('.');
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let local = host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"));
        !address && !local && !self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
    }
}

/// Scheme and authority of an origin.
fn parse(origin: &str) -> Option<(String, Authority)> {
    let uri = origin.parse::<Uri>().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    Some((scheme.to_owned(), uri.authority()?.clone()))
}

/// Whether an origin is that of the host. The scheme of a request is unknown behind a proxy, so that of the origin
/// is taken.
fn same(scheme: &str, origin: &Authority, host: &Authority) -> bool {
    let default = if scheme == "https" { 443 } else { 80 };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    origin.host().eq_ignore_ascii_case(host.host()) && port(origin) == port(host)
}

/// Marks a request that arrived at a loopback address. [`serve`](crate::serve) adds the mark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loopback;

impl Loopback {
    pub(crate) fn of(address: &dyn std::any::Any) -> Option<Self> {
        address.downcast_ref::<SocketAddr>().filter(|address| address.ip().is_loopback()).map(|_| Self)
    }
}

/// Refuses requests of pages of other sites.
pub(crate) fn check(origins: &Origins, request: &Request) -> Result<(), ApiFailure> {
    let host = match (request.uri().authority(), request.headers().get(header::HOST)) {
        (Some(authority), _) => Some(authority.clone()),
        (None, Some(host)) => Some(
            Authority::try_from(host.as_bytes())
                .map_err(|_| ApiFailure::of(ErrorCode::ParameterFormat, "header Host is no name of a host"))?,
        ),
        (None, None) => None,
    };
    let forbidden = |why: String| Err(ApiFailure::of(ErrorCode::Forbidden, why));
    let on_loopback = request.extensions().get::<Loopback>().is_some();
    if let Some(host) = host.as_ref().filter(|host| origins.is_strange(host.host(), on_loopback)) {
        let name = shown(host.host());
        return forbidden(format!("nothing is served under the name {name}: the service must be told its names"));
    }
    if origins.is_foreign(request.method(), host.as_ref(), request.headers()) {
        return forbidden(
            "pages of other sites may not ask here: the service must be told their origins".to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_origins_are_foreign_by_this_table() {
        let default = Origins::default();
        let allowed = Origins::default().allow("https://console.example.com").unwrap();
        let (get, post) = (Method::GET, Method::POST);
        // Whether the request is foreign: by default, and if https://console.example.com is allowed.
        for (method, host, fields, expected) in [
            // No browser.
            (&post, "h:8080", "", [false, false]),
            (&post, "", "", [false, false]),
            // A browser that sends only the origin.
            (&post, "h:8080", "origin: http://h:8080", [false, false]),
            (&post, "H:8080", "origin: https://h:8080", [false, false]),
            (&post, "h", "origin: http://h", [false, false]),
            (&post, "h:443", "origin: https://h", [false, false]),
            (&post, "h:443", "origin: http://h", [true, true]),
            (&post, "h:8080", "origin: http://h:8081", [true, true]),
            (&post, "h:8080", "origin: http://evil.example", [true, true]),
            (&get, "h:8080", "origin: http://evil.example", [true, true]),
            (&post, "h:8080", "origin: null", [true, true]),
            (&post, "", "origin: http://h:8080", [true, true]),
            (&post, "console.example.com.evil", "origin: https://console.example.com", [true, false]),
            (&post, "h:8080", "origin: https://console.example.com.evil", [true, true]),
            // A browser that sends more headers.
            (&post, "h:8080", "sec-fetch-site: same-origin", [false, false]),
            (&post, "behind-a-proxy", "sec-fetch-site: same-origin; origin: https://h", [false, false]),
            (&post, "h:8080", "sec-fetch-site: none", [false, false]),
            (&post, "h:8080", "sec-fetch-site: cross-site", [true, true]),
            (&post, "h:8080", "sec-fetch-site: same-site; origin: http://h:3000", [true, true]),
            (&post, "h:8080", "sec-fetch-site: cross-site; origin: https://console.example.com", [true, false]),
            (&get, "h:8080", "sec-fetch-site: cross-site; sec-fetch-mode: no-cors", [true, true]),
            // A link, and a form.
            (&get, "h:8080", "sec-fetch-site: cross-site; sec-fetch-mode: navigate", [false, false]),
            (&post, "h:8080", "sec-fetch-site: cross-site; sec-fetch-mode: navigate", [true, true]),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields.split("; ").filter_map(|field| field.split_once(": ")) {
                headers.insert(name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
            }
            let authority = host.parse().ok();
            let foreign =
                [&default, &allowed].map(|origins| origins.is_foreign(method, authority.as_ref(), &headers));
            assert_eq!(foreign, expected, "{method} {host} {fields}");
            assert!(!Origins::any().is_foreign(method, authority.as_ref(), &headers));
        }
    }

    #[test]
    fn names_are_strange_by_this_table() {
        let default = Origins::default();
        let named = Origins::default().host("jobs.example.com");
        for (host, strange) in [
            ("localhost", [false, false]),
            ("a.LOCALHOST", [false, false]),
            ("127.0.0.1", [false, false]),
            ("[::1]", [false, false]),
            ("Jobs.Example.com", [true, false]),
            ("jobs.example.com.", [true, false]),
            ("evil.example", [true, true]),
            ("localhost.evil.example", [true, true]),
            ("127.0.0.1.evil.example", [true, true]),
        ] {
            let [on_loopback, with_names] = strange;
            assert!(!default.is_strange(host, false), "{host}");
            assert_eq!(default.is_strange(host, true), on_loopback, "{host}");
            assert_eq!(named.is_strange(host, true), with_names, "{host}");
            assert_eq!(named.is_strange(host, false), with_names, "{host}");
        }
    }

    #[test]
    fn an_origin_is_spelled_as_browsers_do() {
        for origin in ["http://localhost:3000", "https://example.com", "http://[::1]:8080"] {
            assert!(Origins::default().allow(origin).is_ok(), "{origin}");
        }
        for origin in [
            "",
            "*",
            "null",
            "example.com",
            "https://example.com/",
            "https://Example.com",
            "ftp://a",
            "https://a?b",
        ] {
            assert_eq!(Origins::default().allow(origin).unwrap_err(), InvalidOrigin(origin.to_owned()));
        }
    }
}
