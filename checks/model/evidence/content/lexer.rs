//! Text as a person reads it: names of pods, times, numbers and other words.

use crate::model::evidence::content::known::PodWords;

/// A word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextToken<'t> {
    pub(crate) text: &'t str,
    pub(crate) kind: TokenKind,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// It names a pod: its index among the known words.
    Known(usize),
    /// By its form a date or a time.
    Time,
    /// Digits alone.
    Number,
    /// Digits with a point.
    Decimal,
    /// Anything else.
    Word,
}

impl TextToken<'_> {
    /// Its value, where it is a number.
    pub(crate) fn number(&self) -> Option<i64> {
        (self.kind == TokenKind::Number).then(|| self.text.parse().ok()).flatten()
    }

    /// Whether a word looks as if chance had made it: digits among letters, or capitals in the
    /// middle.
    pub(crate) fn is_random(&self) -> bool {
        if self.kind != TokenKind::Word || self.text.len() < 6 {
            return false;
        }
        let bytes = self.text.as_bytes();
        let digit = bytes.iter().any(u8::is_ascii_digit);
        let letter = bytes.iter().any(u8::is_ascii_alphabetic);
        let capitals = bytes
            .windows(2)
            .filter(|it| it[0].is_ascii_lowercase() && it[1].is_ascii_uppercase())
            .count();
        digit && letter || bytes.len() >= 8 && capitals >= 2
    }
}

/// The words of a line; what stands between them is left out.
pub(crate) fn lex<'t>(line: &'t str, known: &PodWords) -> Vec<TextToken<'t>> {
    let bytes = line.as_bytes();
    let mut tokens: Vec<TextToken<'t>> = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let next = line[at..].chars().next().unwrap_or(' ');
        if !next.is_alphanumeric() {
            at += next.len_utf8();
            continue;
        }
        if let Some((length, index)) = known.at_start(&line[at..]) {
            tokens.push(TextToken { text: &line[at..at + length], kind: TokenKind::Known(index) });
            at += length;
            continue;
        }
        let (length, kind) = word_at(line, at);
        let text = &line[at..at + length];
        let kind = known.digest(text).map_or(kind, TokenKind::Known);
        tokens.push(TextToken { text, kind });
        at += length;
    }
    mark_dates(&mut tokens);
    tokens
}

fn word_at(line: &str, at: usize) -> (usize, TokenKind) {
    let bytes = line.as_bytes();
    let rest = &bytes[at..];
    // What stands behind a colon is a part of something longer: a hardware address.
    let is_part = line[..at].strip_suffix(':').is_some_and(|before| {
        let group = before.bytes().rev().take(5).take_while(u8::is_ascii_alphanumeric).count();
        (1..=4).contains(&group)
            && before.bytes().rev().take(group).all(|it| it.is_ascii_hexdigit())
    });
    if rest[0].is_ascii_digit() && !is_part {
        if let Some(length) = time_at(rest) {
            return (length, TokenKind::Time);
        }
        if let Some(length) = decimal_at(bytes, at) {
            return (length, TokenKind::Decimal);
        }
    }
    if is_uuid(rest) {
        return (36, TokenKind::Word);
    }
    let length = line[at..].find(|it: char| !it.is_alphanumeric()).unwrap_or(rest.len());
    let is_number = rest[..length].iter().all(u8::is_ascii_digit) && length <= 18;
    (length, if is_number { TokenKind::Number } else { TokenKind::Word })
}

/// Digits, a point and digits; a version or an address of more parts is none.
fn decimal_at(bytes: &[u8], at: usize) -> Option<usize> {
    if at >= 2 && bytes[at - 1] == b'.' && bytes[at - 2].is_ascii_digit() {
        return None;
    }
    let rest = &bytes[at..];
    let whole = digits(rest);
    let fraction = digits(rest.get(whole + 1..)?);
    let length = whole + 1 + fraction;
    let is_more =
        || rest.get(length) == Some(&b'.') && rest.get(length + 1).is_some_and(u8::is_ascii_digit);
    (rest[whole] == b'.' && fraction > 0 && ends(rest, length) && !is_more()).then_some(length)
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|it| it.is_ascii_digit()).count()
}

fn ends(bytes: &[u8], length: usize) -> bool {
    bytes.get(length).is_none_or(|it| !it.is_ascii_alphanumeric())
}

fn is_uuid(bytes: &[u8]) -> bool {
    let is_dash = |place: usize| matches!(place, 8 | 13 | 18 | 23);
    bytes.len() >= 36
        && ends(bytes, 36)
        && bytes[..36]
            .iter()
            .enumerate()
            .all(|(place, it)| if is_dash(place) { *it == b'-' } else { it.is_ascii_hexdigit() })
}

/// How long the date or time is that a text begins with.
fn time_at(bytes: &[u8]) -> Option<usize> {
    [date_at(bytes), clock_at(bytes), compact_at(bytes)]
        .into_iter()
        .flatten()
        .max()
        .filter(|length| ends(bytes, *length))
}

/// `2026-11-23`, `23.11.2026`, with a time of day behind it where that is joined on.
fn date_at(bytes: &[u8]) -> Option<usize> {
    let first = digits(bytes);
    let separator = *bytes.get(first).filter(|it| b"-/.".contains(it))?;
    let second = digits(bytes.get(first + 1..)?);
    let third_at = first + second + 2;
    if !(1..=2).contains(&second) || bytes.get(third_at - 1) != Some(&separator) {
        return None;
    }
    let third = digits(bytes.get(third_at..)?);
    let is_date = first == 4 && (1..=2).contains(&third) || (1..=2).contains(&first) && third == 4;
    let year = number(if first == 4 { &bytes[..4] } else { &bytes[third_at..third_at + third] });
    let length = third_at + third;
    if !is_date
        || !(1970..2100).contains(&year)
        || bytes.get(length) == Some(&separator) && separator == b'.'
    {
        return None;
    }
    Some(with_clock(bytes, length))
}

/// A time of day that is joined to a date, and the zone behind it.
fn with_clock(bytes: &[u8], length: usize) -> usize {
    if !bytes.get(length).is_some_and(|it| b"Tt_-".contains(it)) {
        return length;
    }
    let rest = &bytes[length + 1..];
    let apart = |separator: u8| {
        let parts = rest.len() >= 8 && rest[2] == separator && rest[5] == separator;
        (parts && digits(rest) == 2 && digits(&rest[3..]) == 2 && digits(&rest[6..]) == 2)
            .then_some(8)
    };
    let joined = Some(digits(rest)).filter(|it| [4, 6].contains(it));
    let clock =
        clock_at(rest).or_else(|| apart(b'-')).or_else(|| joined.map(|it| with_zone(rest, it)));
    clock.map_or(length, |it| with_zone(bytes, length + 1 + it))
}

/// `12:30`, `12:30:59.1`, `5:36 pm`.
fn clock_at(bytes: &[u8]) -> Option<usize> {
    let mut length = digits(bytes);
    if !(1..=2).contains(&length) || number(&bytes[..length]) > 24 {
        return None;
    }
    let mut parts = 0;
    while parts < 2
        && bytes.get(length) == Some(&b':')
        && digits(&bytes[length + 1..]) == 2
        && bytes[length + 1] < b'6'
    {
        length += 3;
        parts += 1;
    }
    if parts == 0
        || bytes.get(length) == Some(&b':')
            && bytes.get(length + 1).is_some_and(u8::is_ascii_hexdigit)
    {
        return None;
    }
    if bytes.get(length).is_some_and(|it| b".,".contains(it)) {
        let fraction = digits(&bytes[length + 1..]);
        length += if fraction > 0 { fraction + 1 } else { 0 };
    }
    Some(with_zone(bytes, length))
}

fn with_zone(bytes: &[u8], length: usize) -> usize {
    let rest = &bytes[length..];
    match rest.first() {
        Some(b'Z' | b'z') if ends(rest, 1) => length + 1,
        Some(b'+' | b'-') if digits(&rest[1..]) == 4 => length + 5,
        Some(b'+' | b'-')
            if digits(&rest[1..]) == 2 && rest.get(3) == Some(&b':') && digits(&rest[4..]) == 2 =>
        {
            length + 6
        }
        _ => length,
    }
}

/// `20261123`, `20261123T053613Z`, `20261123053613`, and seconds, milli-, micro- and nanoseconds
/// since the epoch.
fn compact_at(bytes: &[u8]) -> Option<usize> {
    let length = digits(bytes);
    let is_date = length >= 8
        && (1970..2100).contains(&number(&bytes[..4]))
        && (1..=12).contains(&number(&bytes[4..6]))
        && (1..=31).contains(&number(&bytes[6..8]));
    if is_date && length == 8 {
        return Some(with_clock(bytes, 8));
    }
    if is_date && [12, 14, 17].contains(&length) {
        return Some(with_zone(bytes, length));
    }
    let is_epoch = [10, 13, 16, 19].contains(&length)
        && (1_400_000_000..2_600_000_000).contains(&number(&bytes[..10]));
    if !is_epoch {
        return None;
    }
    let fraction = if bytes.get(length) == Some(&b'.') { digits(&bytes[length + 1..]) } else { 0 };
    Some(if fraction > 0 { length + 1 + fraction } else { length })
}

fn number(digits: &[u8]) -> i64 {
    digits.iter().take(18).fold(0, |value, digit| value * 10 + i64::from(digit.wrapping_sub(b'0')))
}

/// Marks dates in words: the day stands beside the month, the year not far behind: `Mon Nov 23
/// 03:54:11 UTC 2026`.
fn mark_dates(tokens: &mut [TextToken<'_>]) {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    const DAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    for place in 0..tokens.len() {
        if tokens[place].kind != TokenKind::Word || !abbreviates(tokens[place].text, &MONTHS) {
            continue;
        }
        let beside = [place.wrapping_sub(1), place + 1];
        let is_day =
            |it: &TextToken<'_>| it.number().is_some_and(|number| (1..=31).contains(&number));
        let Some(day) = beside.into_iter().find(|it| tokens.get(*it).is_some_and(is_day)) else {
            continue;
        };
        let start = day.min(place);
        tokens[place].kind = TokenKind::Time;
        tokens[day].kind = TokenKind::Time;
        if let Some(name) = start.checked_sub(1).filter(|it| abbreviates(tokens[*it].text, &DAYS)) {
            tokens[name].kind = TokenKind::Time;
        }
        for later in tokens.iter_mut().skip(place).take(6) {
            if later.text.len() == 4 && later.number().is_some_and(|it| (1970..2100).contains(&it))
            {
                later.kind = TokenKind::Time;
                break;
            }
        }
    }
    for place in 1..tokens.len() {
        let half = ["am", "pm"].iter().any(|it| tokens[place].text.eq_ignore_ascii_case(it));
        if half && tokens[place - 1].kind == TokenKind::Time {
            tokens[place].kind = TokenKind::Time;
        }
    }
}

/// Whether a word is one of these names, or its first three letters or more.
fn abbreviates(word: &str, names: &[&str]) -> bool {
    let begins_with_it =
        |it: &&str| it.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word));
    word.len() >= 3 && names.iter().any(begins_with_it)
}

#[cfg(test)]
mod tests {
    use super::{PodWords, TokenKind, lex};

    fn of_kind(line: &str, kind: TokenKind) -> Vec<&str> {
        lex(line, &PodWords::default())
            .into_iter()
            .filter(|it| it.kind == kind)
            .map(|it| it.text)
            .collect()
    }

    #[test]
    fn times_by_their_form() {
        for line in [
            "Mon Nov 23 03:54:11 UTC 2026",
            "23 Nov 2026 03:54:11",
            "2026-11-23T03:54:11Z",
            "2026-11-23T03:54:11.123456789+01:00",
            "2026-11-23 03:54",
            "2026-11-23T05-36-13",
            "20261123-053613",
            "20261123T053613Z",
            "20261123053613",
            "1732334051",
            "1732334051.25",
            "1732334051123456789",
            "11/23/2026",
            "23.11.2026 5:36 pm",
            "12:30:59.1",
            "23 November 2026",
            "Date:2026-11-23T03:54:11Z",
            "started:2026-11-23T03:54:11Z",
            "sept 3",
        ] {
            let others =
                [of_kind(line, TokenKind::Number), of_kind(line, TokenKind::Decimal)].concat();
            assert_eq!(others, Vec::<&str>::new(), "{line}");
            assert!(!of_kind(line, TokenKind::Time).is_empty(), "{line}");
        }
    }

    #[test]
    fn numbers_are_not_times() {
        assert_eq!(of_kind("server-id=101 at 12:00:01", TokenKind::Number), ["101"]);
        assert_eq!(of_kind("10.88.1.5", TokenKind::Number), ["10", "88", "1", "5"]);
        assert_eq!(of_kind("version 1.0", TokenKind::Decimal), ["1.0"]);
        for line in ["marker 1", "mark 2", "second 3", "decoy 1", "Monitor 2 Mayor 3"] {
            assert_eq!(of_kind(line, TokenKind::Time), [""; 0], "{line}");
        }
        assert_eq!(of_kind("May 1000 pods", TokenKind::Number), ["1000"]);
        assert_eq!(of_kind("073608", TokenKind::Number), ["073608"]);
        assert_eq!(
            of_kind(
                "{\"starts\":1,\"id\": \"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"}",
                TokenKind::Number
            ),
            ["1"]
        );
        assert_eq!(of_kind("02:42:ac:11:00:02", TokenKind::Time), Vec::<&str>::new());
    }
}
