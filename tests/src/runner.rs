//! Runs scenarios one after the other, on labs that they share, and reports as `cargo test` does.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};

use crate::kit::Lab;
use crate::run::{Logs, Run, end_all, enter};
use crate::steps::seconds;
use crate::topology::Topology;

/// For how long a scenario may run if it does not say otherwise.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// One promise, named as a sentence, and the code that holds us to it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The promise.
    pub name: &'static str,
    /// The ground it stands on.
    pub topology: Topology,
    /// How long it may take, its own waits included.
    pub deadline: Duration,
    /// What it does. It finds the cluster as after [`Lab::up`], and Seamark not running.
    pub run: fn(&mut Lab) -> Result<()>,
}

impl Scenario {
    /// A scenario on the usual ground with the usual time.
    pub fn new(name: &'static str, run: fn(&mut Lab) -> Result<()>) -> Self {
        Self {
            name,
            topology: Topology::default(),
            deadline: DEADLINE,
            run,
        }
    }

    /// On other ground.
    #[must_use]
    pub fn on(mut self, topology: Topology) -> Self {
        self.topology = topology;
        self
    }

    /// With another deadline.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

/// The seeds of a scenario with random moments: SEEDS of them, three if it is not set.
pub fn seeds() -> std::ops::RangeInclusive<u64> {
    let wanted = std::env::var("SEEDS")
        .ok()
        .and_then(|text| text.parse().ok());
    1..=wanted.unwrap_or(3)
}

/// Run the scenarios whose name contains the words of SCENARIO or of the command line; the end of a
/// test's `main`.
pub fn main(scenarios: &[Scenario]) -> ExitCode {
    match run(scenarios) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(io::stderr(), "lab: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(scenarios: &[Scenario]) -> Result<bool> {
    let wanted = filter();
    let chosen: Vec<&Scenario> = scenarios
        .iter()
        .filter(|scenario| {
            wanted
                .as_deref()
                .is_none_or(|words| scenario.name.contains(words))
        })
        .collect();
    if std::env::args().any(|argument| argument == "--list") {
        for scenario in &chosen {
            say(&format!("{}: test", scenario.name))?;
        }
        return Ok(true);
    }
    enter()?;
    let mut labs: BTreeMap<&Topology, Vec<&Scenario>> = BTreeMap::new();
    for &scenario in &chosen {
        labs.entry(&scenario.topology).or_default().push(scenario);
    }
    say(&format!(
        "\nrunning {} scenarios on {} labs",
        chosen.len(),
        labs.len()
    ))?;
    let mut failed = Vec::new();
    for (topology, group) in labs {
        say(&format!("lab: {}", topology.describe()))?;
        run_on_one_lab(topology, &group, &mut failed)?;
    }
    if !failed.is_empty() {
        say("\nfailures:")?;
        for name in &failed {
            say(&format!("    {name}"))?;
        }
    }
    say(&format!(
        "\n{} passed, {} failed",
        chosen.len() - failed.len(),
        failed.len()
    ))?;
    Ok(failed.is_empty() && !chosen.is_empty())
}

/// A lab that could not be put back in order is replaced by a new one.
fn run_on_one_lab(
    topology: &Topology,
    group: &[&Scenario],
    failed: &mut Vec<&'static str>,
) -> Result<()> {
    let mut standing: Option<Lab> = None;
    for (index, scenario) in group.iter().enumerate() {
        let mut lab = match standing.take() {
            Some(lab) => lab,
            None => Lab::up(topology)?,
        };
        let start = Instant::now();
        let outcome = under_deadline(scenario, &mut lab);
        let took = seconds(start.elapsed());
        match outcome {
            Ok(()) => say(&format!("test {} ... ok ({took})", scenario.name))?,
            Err(error) => {
                failed.push(scenario.name);
                lab.run().keep_dir();
                say(&format!(
                    "test {} ... FAILED ({took})\n{}",
                    scenario.name,
                    told(&error)
                ))?;
                say(&lab.explain())?;
            }
        }
        if index + 1 == group.len() {
            break;
        }
        match lab.reset() {
            Ok(()) => standing = Some(lab),
            Err(error) => say(&format!(
                "lab: replaced, as it could not be reset: {error:#}"
            ))?,
        }
    }
    Ok(())
}

/// A scenario that panics has failed; one that outlives its deadline is beyond help: everything is
/// shown and ended, and the process with it.
fn under_deadline(scenario: &Scenario, lab: &mut Lab) -> Result<()> {
    let done = watch_deadline(scenario, lab.run());
    let outcome = catch_unwind(AssertUnwindSafe(|| (scenario.run)(lab)));
    drop(done);
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(anyhow!("it panicked: {text}"))
    })
}

/// The thread ends when the sender that is returned is dropped.
fn watch_deadline(scenario: &Scenario, run: &Run) -> Sender<()> {
    let (done, is_done) = mpsc::channel::<()>();
    let (name, deadline, dir) = (scenario.name, scenario.deadline, run.dir().to_owned());
    thread::spawn(move || {
        if is_done.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
            drop(say(&format!(
                "test {name} ... FAILED (not done after {deadline:?}; logs in {})",
                dir.display()
            )));
            end_all(Logs::Stay);
            std::process::exit(1);
        }
    });
    done
}

/// An error with its causes, one a line, without a backtrace: what was seen matters, not the stack.
fn told(error: &Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| format!("  {cause}")).collect();
    causes.join("\n  because:\n")
}

fn filter() -> Option<String> {
    let argument = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    argument
        .or_else(|| std::env::var("SCENARIO").ok())
        .filter(|words| !words.is_empty())
}

fn say(line: &str) -> Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}
