//! Numbers and times for people, in few characters.

use std::time::Duration;

/// A number with a comma between thousands.
pub(super) fn thousands(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number in at most 12 characters. A very large one is given in millions, or in millions of millions.
pub(super) fn count(number: u64) -> String {
    const MILLION: u64 = 1_000_000;
    match number {
        ..1_000_000_000 => thousands(number),
        1_000_000_000..1_000_000_000_000 => format!("{} M", thousands(number / MILLION)),
        _ => format!("{} T", thousands(number / (MILLION * MILLION))),
    }
}

/// A duration, in at most 7 characters below 1,000 days.
pub(super) fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        ..10 => format!("{:.3} s", time.as_secs_f64()),
        10..100 => format!("{:.1} s", time.as_secs_f64()),
        100..6_000 => format!("{} min", seconds / 60),
        6_000..360_000 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A time in the past, such as `5 min ago`.
pub(super) fn ago(time: Duration) -> String {
    const DAY: u64 = 24 * 3_600;
    let seconds = time.as_secs();
    match seconds {
        ..1 => "just now".to_owned(),
        1..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        172_800..63_072_000 => format!("{} d ago", seconds / DAY),
        _ => format!("{} y ago", seconds / (365 * DAY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        for (number, text) in
            [(0_u64, "0"), (999, "999"), (1_000, "1,000"), (117_659, "117,659"), (1_000_000, "1,000,000")]
        {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn a_count_is_never_wider_than_its_column() {
        for (number, text) in [
            (0, "0"),
            (999_999_999, "999,999,999"),
            (1_000_000_000, "1,000 M"),
            (999_999_999_999, "999,999 M"),
            (u64::MAX, "18,446,744 T"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn times_are_told_in_the_unit_that_a_person_would_take() {
        for (millis, took_text, ago_text) in [
            (0, "0.000 s", "just now"),
            (999, "0.999 s", "just now"),
            (1_000, "1.000 s", "1 s ago"),
            (59_999, "60.0 s", "59 s ago"),
            (185_000, "3 min", "3 min ago"),
            (3_599_000, "59 min", "59 min ago"),
            (3_600_000, "60 min", "1 h ago"),
            (47 * 3_600_000, "47 h", "47 h ago"),
            (100 * 3_600_000, "4 d", "4 d ago"),
            (729 * 86_400_000, "729 d", "729 d ago"),
            (730 * 86_400_000, "730 d", "2 y ago"),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!((took(time).as_str(), ago(time).as_str()), (took_text, ago_text), "{millis}");
        }
    }
}
