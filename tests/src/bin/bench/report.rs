//! Figures: one line each on stdout, all of them in `target/bench.json`, and what misses its target
//! said on stderr.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::tools;
use serde::{Deserialize, Serialize};

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    AtMost(f64),
    AtLeast(f64),
    Exactly(f64),
    /// It is told, and nothing is asked of it.
    Stated,
}

/// The name of a figure, its unit and its target.
pub(crate) type Figure = (&'static str, &'static str, Target);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Measured {
    value: f64,
    unit: String,
}

/// Where figures are told. Those of earlier runs stay in the file until they are measured again.
#[derive(Debug)]
pub(crate) struct Report {
    path: PathBuf,
    measured: BTreeMap<String, Measured>,
    figures: Vec<Figure>,
    missed: Vec<String>,
}

impl Report {
    pub(crate) fn open(figures: Vec<Figure>) -> Result<Self> {
        let path = tools::root().join("target/bench.json");
        let measured = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{} is no report; remove it", path.display()))?,
            Err(_) => BTreeMap::new(),
        };
        Ok(Self {
            path,
            measured,
            figures,
            missed: Vec::new(),
        })
    }

    /// Tell a figure that is in the list of its group.
    pub(crate) fn record(&mut self, name: &str, value: f64) -> Result<()> {
        let figure = self.figures.iter().find(|(known, ..)| *known == name);
        let (_, unit, target) = *figure.with_context(|| format!("no figure is named {name}"))?;
        let value = (value * 1000.0).round() / 1000.0;
        writeln!(io::stdout(), "{name} {value} {unit}")?;
        if let Some(bound) = missed(value, target) {
            self.missed
                .push(format!("{name} is {value} {unit}, and should be {bound}"));
        }
        let unit = unit.to_owned();
        self.measured
            .insert(name.to_owned(), Measured { value, unit });
        self.save()
    }

    /// Tell `<stem>_p50` and `<stem>_p99` of some times, in the unit that ends the stem.
    pub(crate) fn percentiles(&mut self, stem: &str, times: &[Duration]) -> Result<()> {
        let per_second = if stem.ends_with("_us") { 1e6 } else { 1e3 };
        for percent in [50, 99] {
            let time = percentile(times, percent).context("nothing was measured")?;
            let name = format!("{stem}_p{percent}");
            if self.figures.iter().any(|(known, ..)| *known == name) {
                self.record(&name, time.as_secs_f64() * per_second)?;
            }
        }
        Ok(())
    }

    /// What missed its target.
    pub(crate) fn missed(&self) -> &[String] {
        &self.missed
    }

    fn save(&self) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&self.measured)?;
        fs::write(&self.path, text + "\n")
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

/// The bound in words, if the value is beyond it.
fn missed(value: f64, target: Target) -> Option<String> {
    match target {
        Target::AtMost(most) if value > most => Some(format!("at most {most}")),
        Target::AtLeast(least) if value < least => Some(format!("at least {least}")),
        Target::Exactly(wanted) if value.total_cmp(&wanted).is_ne() => Some(wanted.to_string()),
        Target::AtMost(_) | Target::AtLeast(_) | Target::Exactly(_) | Target::Stated => None,
    }
}

/// The smallest time that so many percent of all times do not exceed.
fn percentile(times: &[Duration], percent: usize) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Some(Duration::from_millis(100)));
        assert_eq!(percentile(&times, 99), Some(Duration::from_millis(198)));
        assert_eq!(
            percentile(&times[..1], 99),
            Some(Duration::from_millis(200))
        );
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn a_target_is_missed_only_beyond_it() {
        assert_eq!(missed(16.0, Target::AtMost(16.0)), None);
        assert_eq!(
            missed(16.1, Target::AtMost(16.0)),
            Some("at most 16".to_owned())
        );
        assert_eq!(missed(16.0, Target::AtLeast(16.0)), None);
        assert_eq!(
            missed(15.9, Target::AtLeast(16.0)),
            Some("at least 16".to_owned())
        );
        assert_eq!(missed(0.0, Target::Exactly(0.0)), None);
        assert_eq!(
            missed(199.0, Target::Exactly(200.0)),
            Some("200".to_owned())
        );
        assert_eq!(missed(1e9, Target::Stated), None);
    }
}
