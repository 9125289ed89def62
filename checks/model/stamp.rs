//! Time stamps, as Kubernetes writes them.

use std::ops::{Range, RangeInclusive};

/// Seconds since the epoch of a stamp such as `2026-11-23T05:36:20Z`; `None` where it is no such
/// stamp: Kubernetes writes its times in UTC, and those of objects in whole seconds.
///
/// By days from the first of March, as leap days end a year then. Source:
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
pub(crate) fn epoch(stamp: &str) -> Option<i64> {
    if !has_the_form(stamp) {
        return None;
    }
    // What stands at these places, if it lies within these bounds.
    let number = |places: Range<usize>, bounds: RangeInclusive<i64>| {
        let number = stamp.get(places)?.parse::<i64>().ok()?;
        bounds.contains(&number).then_some(number)
    };
    let (year, month) = (number(0..4, 0..=9999)?, number(5..7, 1..=12)?);
    let day = number(8..10, 1..=days_of(year, month))?;
    let (hour, minute) = (number(11..13, 0..=23)?, number(14..16, 0..=59)?);
    let second = number(17..19, 0..=59)?;
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year * 365 + year / 4 - year / 100 + in_year - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Whether digits and separators stand where they belong.
fn has_the_form(stamp: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        separator => byte == *separator,
    };
    stamp.len() == FORM.len() && stamp.bytes().zip(FORM).all(fits)
}

/// The number of days of a month.
const fn days_of(year: i64, month: i64) -> i64 {
    let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap_year => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::epoch;

    /// Catches a stamp with another separator, of a day that no month has, or of another zone, that
    /// is taken for a time in UTC.
    #[test]
    fn stamps() {
        for (stamp, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2024-12-31T23:59:59Z", 1_735_689_599),
            ("2026-11-23T05:36:20Z", 1_795_412_180),
        ] {
            assert_eq!(epoch(stamp), Some(expected), "{stamp}");
        }
        for stamp in [
            "",
            "yesterday",
            "2026-11-23",
            "2026-11-23Tnoon:00Z",
            "2026-99-99x99y99z99",
            "2026-11-23T05:36:20+05:00",
            "2026-11-23T05:36:20",
            "2026-11-23 05:36:20Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-31T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T05:60:20Z",
            "2026-11-23T05:36:60Z",
            "2026-11-23T05:36:2\u{661}",
        ] {
            assert_eq!(epoch(stamp), None, "{stamp}");
        }
    }
}
