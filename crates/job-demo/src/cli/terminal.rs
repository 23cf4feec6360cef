//! [`Terminal`]: the kind of standard output.

use std::{
    env,
    io::{self, IsTerminal},
};

use anstream::{AutoStream, ColorChoice, stream::RawStream};

/// The kind of standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    /// Columns of a line.
    pub(super) width: usize,
    /// Whether it is a terminal, and not a file or a program.
    pub(super) is_seen: bool,
    /// Whether states have colours: on a terminal, and not where `NO_COLOR` is set.
    pub(super) colour: bool,
}

/// Whether what is written there may have colours.
pub(crate) fn colour(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// The columns of a file, and of a terminal that does not say its width.
const WIDTH: usize = 80;

impl Terminal {
    /// Looks at standard output each time, since a terminal may be resized.
    pub(super) fn look() -> Self {
        let is_seen = io::stdout().is_terminal();
        let columns = || terminal_size::terminal_size().map(|(width, _)| width.0.into()).filter(|_| is_seen);
        Self {
            width: width(env::var("COLUMNS").ok().as_deref(), columns()),
            is_seen,
            colour: colour(&io::stdout()),
        }
    }
}

/// The width that the user sets, or else the terminal's, with a lower bound for readability.
fn width(said: Option<&str>, columns: Option<usize>) -> usize {
    const NARROWEST: usize = 40;
    let said = said.and_then(|text| text.parse().ok());
    said.or(columns).filter(|width| *width > 0).map_or(WIDTH, |width| width.max(NARROWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_is_what_the_user_says_else_the_terminal_else_80() {
        for (said, columns, expected) in [
            (None, None, 80),
            (None, Some(120), 120),
            (Some("100"), Some(120), 100),
            (Some("wide"), Some(120), 120),
            (Some("0"), None, 80),
            (None, Some(0), 80),
            (Some("3"), None, 40),
        ] {
            assert_eq!(width(said, columns), expected, "{said:?} {columns:?}");
        }
    }
}
