//! The words of a line: which of them are names and numbers, and which only tell a time.

/// Where `word` stands in `text` with nothing beside it that would make it another name or number.
pub(super) fn find_word(text: &str, word: &str) -> Option<usize> {
    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        let before = at.checked_sub(1).and_then(|it| bytes.get(it));
        let after = bytes.get(at + word.len());
        // `web-1` is not in `my-web-1`, nor in `web-10`, nor 10.0.0.1 in 10.0.0.12.
        !joins(before) && before != Some(&b'-') && !joins(after)
    })
}

/// Every run of digits becomes `#`.
pub(super) fn mask_digits(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut in_digits = false;
    for c in text.chars() {
        let digit = c.is_ascii_digit();
        if !digit {
            masked.push(c);
        } else if !in_digits {
            masked.push('#');
        }
        in_digits = digit;
    }
    masked
}

/// The words of a line, with the separators between them: letters, digits and what joins them in times, dates and UUIDs.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_inclusive(|c: char| !(c.is_alphanumeric() || matches!(c, ':' | '-' | '.' | '+' | '_' | '/')))
}

/// Dates, times, UUIDs and hex words become `#`; other numbers stay.
pub(super) fn mask_times(line: &str) -> String {
    let words: Vec<&str> = words(line).collect();
    let bare: Vec<&str> = words.iter().map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric())).collect();
    let months: Vec<usize> = (0..bare.len()).filter(|place| is_month(bare[*place])).collect();
    // The day stands beside the month, the year not far behind it: `Mon Nov 23 03:54:11 UTC 2026`.
    let in_date = |place: usize| {
        let digits = bare[place].bytes().all(|it| it.is_ascii_digit());
        let near = |reach: usize| months.iter().any(|month| place.abs_diff(*month) <= reach);
        digits && (bare[place].len() <= 2 && near(1) || bare[place].len() == 4 && near(5))
    };
    let mask = |(place, word): (usize, &&str)| {
        let masked = !bare[place].is_empty() && (is_volatile(bare[place]) || in_date(place));
        if masked { format!("#{}", &word[bare[place].len()..]) } else { (*word).to_owned() }
    };
    words.iter().enumerate().map(mask).collect()
}

/// The numbers of a line, those inside dates, times, UUIDs and hex words left out.
pub(super) fn numbers_in(line: &str) -> impl Iterator<Item = i64> {
    let masked = mask_times(line);
    let numbers: Vec<i64> = masked.split(|c: char| !c.is_ascii_digit()).filter(|it| !it.is_empty() && it.len() <= 9).filter_map(|it| it.parse().ok()).collect();
    numbers.into_iter()
}

fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let start = word.get(..3).map(str::to_ascii_lowercase);
    word.len() <= 9 && start.is_some_and(|start| MONTHS.contains(&start.as_str())) && word.bytes().all(|it| it.is_ascii_alphabetic())
}

/// `12:30`, `12:30:59.1`.
fn is_clock(word: &str) -> bool {
    let mut parts = word.split(':');
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    word.contains(':') && parts.by_ref().all(digits)
}

/// Whether the digits in a word are a date's, a time's, a UUID's or a hash's, or an address's.
fn is_volatile(word: &str) -> bool {
    let hex = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_hexdigit());
    let uuid = word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && word.split('-').all(hex);
    let hash = word.len() >= 6 && hex(word) && word.bytes().any(|it| it.is_ascii_alphabetic()) && word.bytes().any(|it| it.is_ascii_digit());
    let date_parts = |separator| word.split(separator).filter(|it| (1..=4).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit())).count() >= 3;
    let stamped = word.len() >= 10 && word.bytes().take(4).all(|it| it.is_ascii_digit()) && word.as_bytes().get(4) == Some(&b'-');
    let long = word.len() > 9 && word.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    uuid || hash || is_clock(word) || date_parts('-') || date_parts('/') || date_parts('.') || stamped || long
}

#[cfg(test)]
mod tests {
    use super::{find_word, mask_times, numbers_in};

    #[test]
    fn a_name_is_not_found_inside_another() {
        assert_eq!(find_word("web-10 web-1", "web-1"), Some(7));
        assert_eq!(find_word("my-web-1", "web-1"), None);
        assert_eq!(find_word("host web-1.nginx", "web-1"), Some(5));
    }

    #[test]
    fn digits_of_times_and_hashes_are_no_numbers() {
        for line in [
            "Mon Nov 23 03:54:11 UTC 2026",
            "2026-11-23T03:54:11Z",
            "2026-11-23 03:54",
            "1732334051",
            "deadbeef01",
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "10.88.1.5",
            "11/23/2026",
        ] {
            assert_eq!(numbers_in(line).collect::<Vec<_>>(), Vec::<i64>::new(), "{line}");
        }
        assert_eq!(numbers_in("server-id=101 at 12:00:01").collect::<Vec<_>>(), [101]);
        assert_eq!(numbers_in("ordinal 2").collect::<Vec<_>>(), [2]);
        assert_eq!(numbers_in("id: 0").collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_mask_keeps_what_is_no_time() {
        assert_eq!(mask_times("id=3 at 12:30:59"), "id=3 at #");
    }
}
