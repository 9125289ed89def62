//! Kubernetes quantities, as far as storage, memory and processors need them.

/// Bytes of a quantity such as `50Mi`, `0.1Gi`, `100M`, `52428800` or `5e7`.
///
/// `None` where it is no quantity. Rounded up to whole bytes, as the API server does.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
#[must_use]
pub fn bytes(quantity: &str) -> Option<u128> {
    scaled(quantity, 1)
}

/// A quantity in parts of which `parts` are 1, rounded up to whole ones: 1000 for the thousandths
/// that processors are counted in. `None` where it is no quantity.
#[must_use]
pub fn scaled(quantity: &str, parts: u128) -> Option<u128> {
    const SUFFIXES: [(&str, u32, i32); 16] = [
        ("Ki", 2, 10),
        ("Mi", 2, 20),
        ("Gi", 2, 30),
        ("Ti", 2, 40),
        ("Pi", 2, 50),
        ("Ei", 2, 60),
        ("n", 10, -9),
        ("u", 10, -6),
        ("m", 10, -3),
        ("k", 10, 3),
        ("M", 10, 6),
        ("G", 10, 9),
        ("T", 10, 12),
        ("P", 10, 15),
        ("E", 10, 18),
        ("", 10, 0),
    ];
    let quantity = quantity.strip_prefix('+').unwrap_or(quantity);
    let end = quantity.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(end);
    let (base, power) = match SUFFIXES.iter().find(|(it, _, _)| *it == suffix) {
        Some((_, base, power)) => (*base, *power),
        None => (10, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.len() > 18 {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let digits = digits.checked_mul(parts)?;
    let below = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scale = u128::from(base).checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        Some(digits.checked_mul(scale)?.div_ceil(below))
    } else {
        Some(digits.div_ceil(below.checked_mul(scale)?))
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, scaled};

    /// Catches an exponent with two signs that is taken, and a suffix that Kubernetes knows and
    /// that is not.
    #[test]
    fn sizes_in_all_forms() {
        let mi50 = 50 * 1024 * 1024;
        for (text, expected) in [
            ("50Mi", mi50),
            ("52428800", mi50),
            ("51200Ki", mi50),
            ("50M", 50_000_000),
            ("0.05Gi", 53_687_092),
            ("5e7", 50_000_000),
            ("1E", 10u128.pow(18)),
            ("1E3", 1000),
            ("1Ei", 1 << 60),
            ("1e+3", 1000),
            ("5000e-3", 5),
            ("52428800000m", mi50),
            ("52428800000000u", mi50),
            ("52428800000000000n", mi50),
            ("+1Gi", 1 << 30),
            (".5k", 500),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "Mi",
            "50mb",
            "fifty",
            "1.2.3",
            "-",
            "9999999999999999999999999999999999999999Ei",
            "1e999999",
            "1e",
            "1e+-3",
            "1e++3",
            "1Eib",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    /// Catches an amount of processors with a point and a suffix that counts as none.
    #[test]
    fn thousandths_in_all_forms() {
        for (text, expected) in [
            ("0.5", 500),
            ("500m", 500),
            ("0.0005k", 500),
            ("5.0e-1", 500),
            ("0.1k", 100_000),
            ("2", 2000),
            ("100u", 1),
        ] {
            assert_eq!(scaled(text, 1000), Some(expected), "{text}");
        }
    }
}
