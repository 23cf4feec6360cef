//! [`Settings`]: the URL of a database, split into settings that its driver knows and others.

use std::{borrow::Cow, path::PathBuf};

use percent_encoding::percent_decode_str;

/// A URL, or words `name=value`, without the settings that the driver does not know. Those are in the other
/// fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) text: String,
    /// The file of `sslrootcert`.
    pub(super) roots: Option<PathBuf>,
}

impl Settings {
    pub(super) fn read(text: &str) -> Self {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        match text.split_once('?') {
            Some((place, settings)) if is_url => {
                let Self { text, roots } = Self::known(settings.split('&'), "&", decoded);
                let between = if text.is_empty() { "" } else { "?" };
                Self { text: [place, between, &text].concat(), roots }
            }
            None if is_url => Self { text: text.to_owned(), roots: None },
            _ => Self::known(words(text).into_iter(), " ", unquoted),
        }
    }

    /// Keeps the settings that the driver knows. The function `meant` decodes a name or a value.
    fn known<'t>(
        settings: impl Iterator<Item = &'t str>,
        between: &str,
        meant: impl Fn(&'t str) -> Cow<'t, str>,
    ) -> Self {
        let (mut kept, mut roots) = (Vec::new(), None);
        for setting in settings {
            let pair = setting.split_once('=').map(|(name, value)| (meant(name.trim()), meant(value.trim())));
            match pair.as_ref().map(|(name, value)| (&**name, &**value)) {
                Some(("sslrootcert", path)) => roots = Some(PathBuf::from(path)),
                // This library treats these values as `require`, which checks as much.
                Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
                _ => kept.push(setting),
            }
        }
        Self { text: kept.join(between), roots }
    }
}

/// A part of a URL.
fn decoded(part: &str) -> Cow<'_, str> {
    percent_decode_str(part).decode_utf8_lossy()
}

/// Decodes a value by PostgreSQL's rules: it is in quotes if it has blanks, and `\` stands before a quote or a
/// `\`.
fn unquoted(value: &str) -> Cow<'_, str> {
    let bare = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
    if !bare.contains('\\') {
        return Cow::Borrowed(bare);
    }
    let mut characters = bare.chars();
    let mut meant = String::new();
    while let Some(character) = characters.next() {
        meant.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    Cow::Owned(meant)
}

/// The settings in a text of words. Blanks separate them, but not inside quotes or around `=`.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, character) in text.char_indices() {
        let (before, after) = text.split_at(at);
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            is_escaped = true;
        } else if character == '\'' {
            is_quoted = !is_quoted;
        } else if character.is_whitespace() && !is_quoted {
            let is_of_pair = after.trim_start().starts_with('=') || before.trim_end().ends_with('=');
            if !is_of_pair {
                words.push(text.get(start..at).unwrap_or_default());
                start = at;
            }
        }
    }
    words.push(text.get(start..).unwrap_or_default());
    words.into_iter().map(str::trim).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_does_not_know_is_taken_out_however_it_is_written() {
        let ca = Some("/etc/ca.pem");
        let mine = Some("/etc/my ca's.pem");
        for (given, text, roots) in [
            ("postgres://u@h/d", "postgres://u@h/d", None),
            ("postgres://u@h/d?a=%2Fb&c", "postgres://u@h/d?a=%2Fb&c", None),
            (
                "postgresql://u@h/d?sslmode=verify-full&connect_timeout=3",
                "postgresql://u@h/d?sslmode=require&connect_timeout=3",
                None,
            ),
            ("postgres://u@h/d?sslmode=verify%2Dca", "postgres://u@h/d?sslmode=require", None),
            ("postgres://u@h/d?sslrootcert=/etc/ca.pem&sslmode=require", "postgres://u@h/d?sslmode=require", ca),
            ("postgres://u@a,b/d?sslrootcert=%2Fetc%2Fca.pem", "postgres://u@a,b/d", ca),
            ("postgres://u@h/d?ssl%72ootcert=/etc/my%20ca%27s.pem", "postgres://u@h/d", mine),
            // A plus is not decoded to a blank.
            ("postgres://u@h/d?sslrootcert=/a+b.pem", "postgres://u@h/d", Some("/a+b.pem")),
            ("host=h dbname=d password='a b'", "host=h dbname=d password='a b'", None),
            ("host=h sslrootcert=/etc/ca.pem", "host=h", ca),
            ("host=h sslrootcert = /etc/ca.pem sslmode = verify-ca", "host=h sslmode=require", ca),
            (r"sslrootcert='/etc/my ca\'s.pem'  password='it\'s  = x'", r"password='it\'s  = x'", mine),
            (r"sslmode='verify-full' sslrootcert=/etc/my\ ca\'s.pem host=h", "sslmode=require host=h", mine),
            ("password='sslrootcert=/x y' host=h", "password='sslrootcert=/x y' host=h", None),
        ] {
            let expected = Settings { text: text.to_owned(), roots: roots.map(PathBuf::from) };
            assert_eq!(Settings::read(given), expected, "{given}");
        }
    }
}
