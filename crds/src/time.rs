//! Durations as Kubernetes writes them, in whole seconds: `90s`, `1m30s`, `1h0m0s`.

use std::time::Duration;

/// Reads a duration. BGP knows no fractions of a second, so that there are none here.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut seconds: Option<u64> = None;
    let mut number: Option<u64> = None;
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            let before = number.unwrap_or(0).checked_mul(10)?;
            number = Some(before.checked_add(u64::from(digit))?);
            continue;
        }
        let unit = match c {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let part = number.take()?.checked_mul(unit)?;
        seconds = Some(seconds.unwrap_or(0).checked_add(part)?);
    }
    // A number without a unit is left over.
    if number.is_some() {
        return None;
    }
    seconds.map(Duration::from_secs)
}

/// Writes a duration so that [`parse`] reads it back.
pub(crate) fn emit(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubernetes_writes_them() {
        for (text, seconds) in [
            ("0s", 0),
            ("90s", 90),
            ("1m30s", 90),
            ("1h0m0s", 3600),
            ("30s1m", 90),
        ] {
            let time = parse(text);
            assert_eq!(time, Some(Duration::from_secs(seconds)), "{text}");
            assert_eq!(parse(&emit(Duration::from_secs(seconds))), time);
        }
    }

    #[test]
    fn what_is_not_whole_seconds_is_no_duration() {
        for text in [
            "",
            "90",
            "s",
            "-90s",
            "1.5s",
            "500ms",
            "90 s",
            "90s1",
            "99999999999999999999s",
            "9999999999999999h",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
