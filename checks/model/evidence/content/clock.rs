//! What the time of writing explains: renderings of the moments at which a file may have been
//! written.

use crate::model::evidence::content::lexer::TextToken;
use crate::model::timeline::lives::PodLife;

const DAY_SECONDS: i64 = 86_400;
/// Offsets from UTC, -12:00 to +14:00, in quarters of an hour.
const ZONES: std::ops::RangeInclusive<i64> = -48..=56;
/// A quarter of an hour, in seconds.
const QUARTER_SECONDS: i64 = 900;
/// By how many seconds clocks and file systems may differ.
const CLOCK_SLACK_SECONDS: i64 = 2;

/// The moments at which a file may have been written, in seconds since the epoch by the node's
/// clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteMoments {
    /// The start of the pod's first container.
    pub(crate) start: Option<i64>,
    /// The file's modification time.
    pub(crate) mtime: Option<i64>,
}

impl WriteMoments {
    pub(crate) fn of(pod: &PodLife, mtime: Option<i64>) -> Self {
        Self { start: pod.earliest_start(), mtime }
    }

    /// From when to when it may have been written first.
    fn window(self) -> Option<(i64, i64)> {
        let first = self.start.into_iter().chain(self.mtime).min()?;
        let last = self.start.into_iter().chain(self.mtime).max()?;
        Some((first.saturating_sub(CLOCK_SLACK_SECONDS), last.saturating_add(CLOCK_SLACK_SECONDS)))
    }
}

/// A moment as a text tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrittenTime {
    /// Seconds since the epoch.
    Epoch(i64),
    /// Seconds since midnight in some zone, and how exactly that is told.
    OfDay { seconds: i64, exact_to_seconds: i64 },
    /// A date alone, or a part of one.
    Date,
}

/// The moment that a word tells which is a time by its form.
pub(crate) fn written_time(token: &TextToken<'_>) -> WrittenTime {
    let text = token.text;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits == text.len() || text.as_bytes().get(digits) == Some(&b'.');
    let is_epoch =
        whole && matches!(digits, 10 | 13 | 16 | 19) && !text[digits..].contains(['-', ':']);
    if let Some(seconds) = text.get(..10).filter(|_| is_epoch).and_then(|it| it.parse().ok()) {
        return WrittenTime::Epoch(seconds);
    }
    // The time of day stands behind the date: after its letter or joint, or alone.
    let has_date = text.len() > 8 && text.bytes().take(4).all(|it| it.is_ascii_digit());
    let day =
        if has_date { time_behind_date(text) } else { Some(text).filter(|it| it.contains(':')) };
    day.and_then(of_day).unwrap_or(WrittenTime::Date)
}

fn time_behind_date(text: &str) -> Option<&str> {
    let compact = text.bytes().take(8).all(|it| it.is_ascii_digit());
    if compact {
        return text.get(8..).map(|it| it.trim_start_matches(['T', 't', '_', '-']));
    }
    // Year, month and day, and what joins the time to them.
    let joint =
        text.char_indices().filter(|(_, it)| !it.is_ascii_digit()).nth(2).map(|(at, _)| at)?;
    text.get(joint + 1..)
}

fn of_day(text: &str) -> Option<WrittenTime> {
    let end = text.find(['Z', 'z', '+']).unwrap_or(text.len());
    let text = text.get(..end)?;
    // Behind a colon, or behind hour and minute in one, a `-` begins the zone: `00:36-05:00`.
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let zone_may_begin = if digits >= 4 { Some(digits) } else { text.find(':') };
    let zone = zone_may_begin.and_then(|from| Some(from + text.get(from..)?.find('-')?));
    let text = text.get(..zone.unwrap_or(text.len()))?;
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let number = |part: &str| part.split(['.', ',']).next().and_then(|it| it.parse::<i64>().ok());
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute, second, ..] => (number(hour)?, number(minute)?, Some(number(second)?)),
        [hour, minute] => (number(hour)?, number(minute)?, None),
        [joined] if joined.len() >= 4 && joined.bytes().all(|it| it.is_ascii_digit()) => {
            (number(&joined[..2])?, number(&joined[2..4])?, joined.get(4..6).and_then(number))
        }
        _ => return None,
    };
    let seconds = hour * 3600 + minute * 60 + second.unwrap_or(0);
    let is_time = hour < 25 && minute < 60 && second.is_none_or(|it| it < 61);
    is_time.then_some(WrittenTime::OfDay {
        seconds,
        exact_to_seconds: if second.is_some() { 1 } else { 60 },
    })
}

impl WrittenTime {
    /// Whether it leaves open when in a minute it was.
    pub(crate) const fn is_to_the_minute(self) -> bool {
        matches!(self, Self::OfDay { exact_to_seconds: 60, .. })
    }

    /// Whether it is exact to the second.
    pub(crate) const fn is_exact(self) -> bool {
        matches!(self, Self::Epoch(_) | Self::OfDay { exact_to_seconds: 1, .. })
    }

    /// Whether a start at these moments may write it: then that it is there tells nothing.
    ///
    /// Where the moments are not known, an exact time is taken for one that no later start writes.
    pub(crate) fn is_written_by(self, moments: WriteMoments) -> bool {
        match (self, moments.window()) {
            (Self::Date, _) => true,
            (_, Some((first, last))) => self.is_between(first, last),
            (Self::Epoch(_), None) => false,
            (Self::OfDay { exact_to_seconds, .. }, None) => exact_to_seconds > 1,
        }
    }

    /// Whether a clock of some zone may have told it between two moments.
    pub(super) fn is_between(self, first: i64, last: i64) -> bool {
        match self {
            Self::Date => true,
            Self::Epoch(seconds) => (first..=last).contains(&seconds),
            Self::OfDay { seconds, exact_to_seconds } => {
                let mut shifts = ZONES.map(|zone| zone * QUARTER_SECONDS);
                shifts
                    .any(|shift| is_within(seconds, exact_to_seconds, first + shift, last + shift))
            }
        }
    }
}

/// Whether a time of day lies within a window of moments.
fn is_within(seconds: i64, exact_to_seconds: i64, first: i64, last: i64) -> bool {
    let into = (seconds - first).rem_euclid(DAY_SECONDS);
    into <= last - first || DAY_SECONDS - into < exact_to_seconds
}

/// How sure it is that numbers follow the time, not the ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Explained {
    /// The time does not explain them.
    No,
    /// Both would.
    Perhaps,
    /// They are the time.
    Yes,
}

/// A number that a pod wrote, as it stands, and when it may have been written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrittenNumber<'t> {
    pub(crate) digits: &'t str,
    pub(crate) moments: WriteMoments,
}

/// Fewer pods than this may by chance start at moments that follow their ordinals.
const ENOUGH_PODS: usize = 4;

/// Whether the time explains a number that each pod wrote at the same place.
pub(crate) fn explains(numbers: &[WrittenNumber<'_>]) -> Explained {
    if numbers.iter().all(|it| is_time_of_day(it.digits)) && !has_round_base(numbers) {
        return Explained::Yes;
    }
    if numbers.iter().any(|it| it.moments.window().is_none()) {
        return Explained::No;
    }
    let surely = |it: &&Rendering| it.digits > 4;
    if RENDERINGS.iter().filter(surely).any(|it| it.explains(numbers)) {
        return Explained::Yes;
    }
    if !RENDERINGS.iter().any(|it| it.explains(numbers)) && !advances(numbers) {
        return Explained::No;
    }
    if numbers.len() < ENOUGH_PODS { Explained::Perhaps } else { Explained::Yes }
}

/// Six digits that read as hours, minutes and seconds.
fn is_time_of_day(digits: &str) -> bool {
    let part = |from: usize| digits.get(from..from + 2).and_then(|it| it.parse::<u32>().ok());
    digits.len() == 6
        && part(0).is_some_and(|it| it < 24)
        && part(2).is_some_and(|it| it < 60)
        && part(4).is_some_and(|it| it < 60)
}

/// Whether ids count from a hundred that a person would choose, or from a little above it. A time of
/// day does so too, in the first seconds of each minute.
fn has_round_base(numbers: &[WrittenNumber<'_>]) -> bool {
    /// So far above a hundred the lowest id may be.
    const ABOVE: i64 = 20;
    let lowest = numbers.iter().filter_map(|it| it.digits.parse::<i64>().ok()).min().unwrap_or(0);
    lowest % 100 < ABOVE
}

/// A part of the time of day, as `date` prints it.
struct Rendering {
    /// How many digits it has, zeros in front included.
    digits: usize,
    render: fn(i64) -> i64,
    /// Whether it depends on the zone.
    zoned: bool,
}

const RENDERINGS: [Rendering; 7] = [
    Rendering {
        digits: 6,
        render: |t| t / 3600 % 24 * 10_000 + t / 60 % 60 * 100 + t % 60,
        zoned: true,
    },
    Rendering { digits: 4, render: |t| t / 3600 % 24 * 100 + t / 60 % 60, zoned: true },
    Rendering { digits: 4, render: |t| t / 60 % 60 * 100 + t % 60, zoned: true },
    Rendering { digits: 2, render: |t| t % 60, zoned: false },
    Rendering { digits: 2, render: |t| t / 60 % 60, zoned: true },
    Rendering { digits: 2, render: |t| t / 3600 % 24, zoned: true },
    Rendering { digits: 5, render: |t| t % DAY_SECONDS, zoned: true },
];

impl Rendering {
    /// Whether one zone, the same for all, makes each of the numbers a rendering of the moment at
    /// which it may have been written.
    fn explains(&self, numbers: &[WrittenNumber<'_>]) -> bool {
        let zones = if self.zoned { ZONES } else { 0..=0 };
        let fits = |it: &WrittenNumber<'_>| it.digits.len() == self.digits;
        numbers.iter().all(fits)
            && zones
                .into_iter()
                .any(|zone| numbers.iter().all(|it| self.is_of(it, zone * QUARTER_SECONDS)))
    }

    fn is_of(&self, number: &WrittenNumber<'_>, shift: i64) -> bool {
        let Ok(value) = number.digits.parse::<i64>() else { return false };
        let moments = number.moments.mtime.into_iter().chain(number.moments.start);
        moments
            .into_iter()
            .any(|moment| (moment - 1..=moment + 1).any(|it| (self.render)(it + shift) == value))
    }
}

/// Whether the numbers grow exactly as the time does: an uptime, a counter of ticks.
fn advances(numbers: &[WrittenNumber<'_>]) -> bool {
    /// Smaller numbers agree by chance.
    const LEAST_VALUE: i64 = 60;
    let values: Vec<i64> = numbers.iter().filter_map(|it| it.digits.parse().ok()).collect();
    if values.len() < numbers.len() || values.iter().any(|it| *it < LEAST_VALUE) {
        return false;
    }
    let by = |moment: fn(&WriteMoments) -> Option<i64>, scale: i64| {
        let ages: Option<Vec<i64>> = numbers
            .iter()
            .zip(&values)
            .map(|(it, value)| Some((value / scale).saturating_sub(moment(&it.moments)?)))
            .collect();
        ages.is_some_and(|ages| {
            ages.iter()
                .max()
                .zip(ages.iter().min())
                .is_some_and(|(most, least)| most.saturating_sub(*least) <= 1)
        })
    };
    [1, 10, 100, 1000, 1_000_000, 1_000_000_000]
        .iter()
        .any(|scale| by(|it| it.mtime, *scale) || by(|it| it.start, *scale))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            known::PodWords,
            lexer::{self, TextToken, TokenKind},
        },
        Explained, WriteMoments, WrittenNumber, WrittenTime, explains, written_time,
    };

    fn only(text: &str) -> WrittenTime {
        written_time(&lexer::lex(text, &PodWords::default())[0])
    }

    #[test]
    fn what_a_time_tells() {
        const EXACT: WrittenTime = WrittenTime::OfDay { seconds: 20_173, exact_to_seconds: 1 };
        for text in [
            "05:36:13",
            "2026-11-23T05:36:13Z",
            "2026-11-23T05-36-13",
            "20261123-053613",
            "20261123T053613Z",
            "20261123053613",
            "2026-11-23T05:36:13-05:00",
            "2026-11-23T05-36-13",
            "20261123T053613-0500",
        ] {
            assert_eq!(only(text), EXACT, "{text}");
        }
        assert_eq!(only("2026-11-23T05:36:13.25+01:00"), EXACT);
        assert_eq!(only("05:36"), WrittenTime::OfDay { seconds: 20_160, exact_to_seconds: 60 });
        let to_the_minute = WrittenTime::OfDay { seconds: 20_160, exact_to_seconds: 60 };
        for text in ["2026-11-23T05:36-05:00", "2026-11-23T05:36+05:00", "2026-11-23T05:36-0500"] {
            assert_eq!(only(text), to_the_minute, "{text}");
        }
        assert_eq!(
            only("202611230536"),
            WrittenTime::OfDay { seconds: 20_160, exact_to_seconds: 60 }
        );
        for text in ["2026-11-23", "23.11.2026"] {
            assert_eq!(only(text), WrittenTime::Date);
        }
        let year = TextToken { text: "2026", kind: TokenKind::Time };
        assert_eq!(written_time(&year), WrittenTime::Date);
        for text in ["1795412173", "1795412173.5", "1795412173123", "1795412173123456789"] {
            assert_eq!(only(text), WrittenTime::Epoch(1_795_412_173), "{text}");
        }
    }

    #[test]
    fn what_a_later_start_may_write_again() {
        let at = |seconds: i64| WriteMoments { start: Some(1_795_412_160 + seconds), mtime: None };
        // 1795412160 is 05:36:00.
        assert!(only("05:36:13").is_written_by(at(13)));
        assert!(only("2026-11-23T06:36:13+01:00").is_written_by(at(13)));
        // Of the zones that the clocks of Nepal, and of Chatham in its summer, show.
        assert!(only("11:21:13").is_written_by(at(13)));
        assert!(only("19:21:13").is_written_by(at(13)));
        assert!(!only("05:36:13").is_written_by(at(40)));
        assert!(only("05:36").is_written_by(at(40)));
        assert!(!only("05:36").is_written_by(at(70)));
        assert!(!only("1795412173").is_written_by(at(40)));
        assert!(!only("05:36:13").is_written_by(WriteMoments::default()));
        assert!(only("05:36").is_written_by(WriteMoments::default()));
    }

    /// Numbers with the seconds after 05:36:00 at which the containers started.
    fn numbers<'t>(all: &[(&'t str, i64)]) -> Explained {
        let written = |(digits, seconds): &(&'t str, i64)| {
            let start = Some(1_795_412_160 + seconds);
            WrittenNumber { digits, moments: WriteMoments { start, mtime: start } }
        };
        explains(&all.iter().map(written).collect::<Vec<_>>())
    }

    /// Catches a number beside a time before 1970, and an overflow.
    #[test]
    fn numbers_of_any_size_have_an_age() {
        let long_before = -1_795_412_161;
        let greatest = i64::MAX.to_string();
        let all = [(greatest.as_str(), long_before), ("60", 10), ("61", 11)];
        assert_eq!(numbers(&all), Explained::No);
    }

    #[test]
    fn times_without_separators() {
        assert_eq!(numbers(&[("053610", 10), ("053611", 11), ("053612", 12)]), Explained::Yes);
        assert_eq!(
            numbers(&[("3610", 10), ("3612", 12), ("3614", 14), ("3622", 22)]),
            Explained::Yes
        );
        assert_eq!(numbers(&[("10", 10), ("12", 12), ("14", 14)]), Explained::Perhaps);
        assert_eq!(numbers(&[("10", 10), ("12", 12), ("14", 14), ("16", 16)]), Explained::Yes);
        assert_eq!(numbers(&[("20170", 10), ("20172", 12), ("20174", 14)]), Explained::Yes);
        // Whatever the file's own time was made to be.
        assert_eq!(numbers(&[("035424", 90), ("035425", 91), ("035426", 92)]), Explained::Yes);
    }

    #[test]
    fn an_uptime_grows_as_the_time_does() {
        assert_eq!(
            numbers(&[("14084", 10), ("14086", 12), ("14088", 14), ("14096", 22), ("14098", 25)]),
            Explained::Yes
        );
        assert_eq!(numbers(&[("14084", 10), ("14086", 12), ("14088", 14)]), Explained::Perhaps);
    }

    #[test]
    fn ids_are_no_times() {
        assert_eq!(numbers(&[("1", 10), ("3", 12), ("5", 14)]), Explained::No);
        assert_eq!(numbers(&[("101", 10), ("102", 12), ("103", 14)]), Explained::No);
        assert_eq!(
            numbers(&[("101", 10), ("102", 11), ("103", 12), ("104", 20), ("105", 22)]),
            Explained::No
        );
        assert_eq!(numbers(&[("100001", 10), ("100002", 12), ("100003", 14)]), Explained::No);
        assert_eq!(
            numbers(&[("8080", 10), ("8081", 11), ("8082", 12), ("8083", 20)]),
            Explained::No
        );
    }
}
