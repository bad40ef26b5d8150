//! The one way to wait: look at a level until it holds, for a bounded time.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How long to rest between two looks: short at first, for what holds at once.
const FIRST_REST: Duration = Duration::from_millis(2);
const LONGEST_REST: Duration = Duration::from_millis(50);

/// Look until `check` succeeds, and return what it found. After `timeout` the error says `what` was
/// awaited and why the last look failed.
pub fn eventually<T>(
    timeout: Duration,
    what: &str,
    mut check: impl FnMut() -> Result<T>,
) -> Result<T> {
    let end = Instant::now() + timeout;
    let mut rest = FIRST_REST;
    loop {
        match check() {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() >= end => {
                return Err(error).with_context(|| format!("not within {timeout:?}: {what}"));
            }
            Err(_) => {}
        }
        thread::sleep(rest.min(end.saturating_duration_since(Instant::now())));
        rest = (rest * 2).min(LONGEST_REST);
    }
}

/// The promise that something stays so: look all the time for `span`, and fail at the first look
/// that fails.
pub fn throughout(span: Duration, what: &str, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < span {
        check().with_context(|| format!("after {:?} of {span:?}: {what}", start.elapsed()))?;
        thread::sleep(LONGEST_REST);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn returns_what_was_found_once_it_holds() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(5), "the third look", || {
            looks += 1;
            if looks < 3 {
                bail!("too early")
            } else {
                Ok(looks)
            }
        });
        assert_eq!(found.unwrap(), 3);
    }

    #[test]
    fn tells_what_was_awaited_and_why_the_last_look_failed() {
        let never = eventually::<()>(Duration::from_millis(5), "rain", || bail!("sun"));
        let message = format!("{:#}", never.unwrap_err());
        assert!(
            message.contains("rain") && message.contains("sun"),
            "{message}"
        );
    }
}
