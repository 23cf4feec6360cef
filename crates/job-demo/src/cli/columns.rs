//! Columns of text that fit a width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// One column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Whether it is aligned to the right, as numbers are.
    pub(super) right: bool,
    /// Whether it is cut before other columns. A reader can guess the end of a name, and not of a number.
    pub(super) cut: bool,
}

/// Blanks between two columns.
const GAP: usize = 2;

/// The least width of a column while others can be cut.
const LEAST: usize = 8;

/// The head and the rows, each as its cells. Columns are as wide as their cells, and together at most `width`.
pub(super) fn lay_out<const N: usize>(
    columns: &[Column; N],
    rows: &[[String; N]],
    width: usize,
) -> Vec<[String; N]> {
    let head = columns.map(|column| column.head.to_owned());
    let lines = || std::iter::once(&head).chain(rows);
    let mut widths = [0; N];
    for (place, column) in widths.iter_mut().enumerate() {
        *column = lines().filter_map(|cells| cells.get(place)).map(|cell| cell.width()).max().unwrap_or(0);
    }
    shrink(columns, &mut widths, width);
    let line = |cells: &[String; N]| {
        let mut out = cells.clone();
        for ((cell, column), width) in out.iter_mut().zip(columns).zip(widths) {
            *cell = pad(&cut(cell, width), width, column.right);
        }
        out
    };
    lines().map(line).collect()
}

/// Puts the cells of a line into one text, side by side.
pub(super) fn join<const N: usize>(cells: &[String; N]) -> String {
    cells.join(&" ".repeat(GAP)).trim_end().to_owned()
}

/// Makes the widest column that may be cut narrower, or else the widest of all.
fn shrink<const N: usize>(columns: &[Column; N], widths: &mut [usize; N], width: usize) {
    let gaps = GAP * N.saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let widest = |may: &dyn Fn(&Column, usize) -> bool| {
            let places =
                (0..N).filter(|&place| columns.get(place).zip(widths.get(place)).is_some_and(|(c, w)| may(c, *w)));
            places.max_by_key(|&place| widths.get(place).copied())
        };
        let place = widest(&|column, width| column.cut && width > LEAST).or_else(|| widest(&|_, width| width > 1));
        match place.and_then(|place| widths.get_mut(place)) {
            Some(column) => *column -= 1,
            None => return,
        }
    }
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if right { blanks + text } else { text.to_owned() + &blanks }
}

/// The text if it is no wider than that, else its beginning and `…`.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |character: &char| {
        let width = character.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.extend((width > 0).then_some('…'));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(head: &'static str, right: bool, cut: bool) -> Column {
        Column { head, right, cut }
    }

    fn lines(columns: &[Column; 3], rows: &[[&str; 3]], width: usize) -> Vec<String> {
        let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
        lay_out(columns, &rows, width).iter().map(join).collect()
    }

    const COLUMNS: [Column; 3] =
        [column("JOB", false, false), column("WORK", false, true), column("ROWS", true, false)];

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        let rows = [["1", "pagerank", "1,234"], ["12345", "莎拉", "-"]];
        assert_eq!(
            lines(&COLUMNS, &rows, 80),
            ["JOB    WORK       ROWS", "1      pagerank  1,234", "12345  莎拉          -"]
        );
    }

    #[test]
    fn names_are_cut_before_numbers_and_nothing_is_wider_than_it_may_be() {
        let rows = [["12345678", "connected_component", "123,456,789"]];
        assert_eq!(lines(&COLUMNS, &rows, 36)[1], "12345678  connected_co…  123,456,789");
        for width in 8..60 {
            for rows in [rows, [["x", "莎拉莎拉莎拉莎拉", "1"]], [["", "", "18,446,744,073,709,551,615"]]]
            {
                let widest = lines(&COLUMNS, &rows, width).iter().map(|line| line.width()).max();
                assert!(widest <= Some(width), "{width}: {widest:?} {rows:?}");
            }
        }
    }

    #[test]
    fn a_text_is_cut_by_the_width_that_it_has_on_a_terminal() {
        for (text, width, expected) in [
            ("pagerank", 8, "pagerank"),
            ("pagerank", 7, "pagera…"),
            ("莎拉莎", 6, "莎拉莎"),
            ("莎拉莎", 5, "莎拉…"),
            ("莎拉莎", 4, "莎…"),
            ("e\u{301}e\u{301}x", 2, "e\u{301}…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(cut(text, width), expected, "{text} {width}");
        }
    }
}
