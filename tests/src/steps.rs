//! What the lab is busy with, and how long it took.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Run a step and show its name with the time it takes; a failed step says so and returns its error.
pub fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let bar = spinner(name);
    let result = work();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let end = if result.is_ok() { "" } else { "  failed" };
    writeln!(io::stderr(), "  {name} … {}{end}", seconds(start.elapsed()))?;
    result
}

/// Show a figure that was measured on the way, among the steps.
pub fn note(what: &str) -> Result<()> {
    writeln!(io::stderr(), "  {what}")?;
    Ok(())
}

/// A time as progress lines show it: `8.4 s`.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Only on a terminal: a log file wants plain lines.
fn spinner(name: &str) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("  {msg} {spinner} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(name.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    Some(bar)
}
