//! Time stamps, as Kubernetes writes them.

/// Seconds since the epoch of a stamp such as `2026-11-23T05:36:20Z`; `None` where it is no such
/// stamp.
///
/// By days from the first of March, as leap days end a year then. Source:
/// <https://howardhinnant.github.io/date_algorithms.html#days_from_civil>.
pub(crate) fn epoch(stamp: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        stamp
            .get(from..to)
            .filter(|it| it.bytes().all(|it| it.is_ascii_digit()))?
            .parse::<i64>()
            .ok()
    };
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let year = number(0, 4)? - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year * 365 + year / 4 - year / 100 + in_year - 719_468;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::epoch;

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
        for stamp in ["", "yesterday", "2026-11-23", "2026-11-23Tnoon:00Z"] {
            assert_eq!(epoch(stamp), None, "{stamp}");
        }
    }
}
