//! `make bench`: the figures that the README and the design rest on, each measured from outside on
//! the real binaries. A line `name value unit` each on stdout, all of them in `target/bench.json`.
//!
//! Words on the command line, or in `BENCH`, pick the groups that measure a figure with such a name.

mod api;
mod bfd;
mod bgp;
mod burst;
mod chart;
mod cores;
mod floor;
mod footprint;
mod latency;
mod replicas;
mod replies;
mod report;
mod restart;
mod services;
mod writes;

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use lab::steps::note;
use lab::{Lab, Topology};

use report::{Figure, Report};

/// Figures that are measured together.
struct Group {
    figures: &'static [Figure],
    measure: Measure,
}

enum Measure {
    /// In a lab of its own.
    Lab(fn() -> Topology, fn(&mut Lab, &mut Report) -> Result<()>),
    Alone(fn(&mut Report) -> Result<()>),
}

const GROUPS: &[Group] = &[
    Group::new(cores::ALLOCATOR, Measure::Alone(cores::allocator)),
    Group::new(cores::WIRE, Measure::Alone(cores::wire)),
    Group::new(cores::PLAN, Measure::Alone(cores::plan)),
    Group::new(
        footprint::FIGURES,
        Measure::Lab(Topology::default, footprint::measure),
    ),
    Group::new(
        latency::FIGURES,
        Measure::Lab(Topology::default, latency::measure),
    ),
    Group::new(
        replies::FIGURES,
        Measure::Lab(Topology::default, replies::measure),
    ),
    Group::new(
        burst::FIGURES,
        Measure::Lab(Topology::default, burst::measure),
    ),
    Group::new(
        restart::FIGURES,
        Measure::Lab(writes::lab, restart::measure),
    ),
    Group::new(writes::FIGURES, Measure::Lab(writes::lab, writes::measure)),
    Group::new(
        bgp::announce::FIGURES,
        Measure::Lab(bgp::announce::lab, bgp::announce::measure),
    ),
    Group::new(
        bgp::router::FIGURES,
        Measure::Lab(Topology::default, bgp::router::measure),
    ),
    Group::new(
        bgp::footprint::FIGURES,
        Measure::Lab(bgp::footprint::lab, bgp::footprint::measure),
    ),
    Group::new(
        bfd::detect::FIGURES,
        Measure::Lab(Topology::default, bfd::detect::measure),
    ),
    Group::new(
        bfd::detect::BIRD,
        Measure::Lab(Topology::default, bfd::detect::with_bird),
    ),
    Group::new(
        bfd::load::CPU,
        Measure::Lab(bfd::load::three_routers, bfd::load::cpu),
    ),
    Group::new(
        bfd::load::FALSE_DOWNS,
        Measure::Lab(Topology::default, bfd::load::false_downs),
    ),
    Group::new(
        bfd::reroute::FIGURES,
        Measure::Lab(Topology::default, bfd::reroute::measure),
    ),
    Group::new(
        bfd::restart::FRR,
        Measure::Lab(Topology::default, bfd::restart::with_frr),
    ),
    Group::new(
        bfd::restart::BIRD,
        Measure::Lab(Topology::default, bfd::restart::with_bird),
    ),
    Group::new(chart::IMAGES, Measure::Alone(chart::images)),
    Group::new(chart::LIFE, Measure::Lab(Topology::real, chart::life)),
    Group::new(chart::UPGRADE, Measure::Lab(Topology::real, chart::upgrade)),
    Group::new(
        replicas::FIGURES,
        Measure::Lab(Topology::default, replicas::measure),
    ),
    Group::new(api::FIGURES, Measure::Lab(api::lab, api::measure)),
];

fn main() -> Result<ExitCode> {
    lab::enter()?;
    let words = words();
    let wanted: Vec<&Group> = GROUPS.iter().filter(|group| group.has(&words)).collect();
    ensure!(
        !wanted.is_empty(),
        "no figure is named so: {}",
        words.join(" ")
    );
    let all = GROUPS.iter().flat_map(|group| group.figures).copied();
    let mut report = Report::open(all.collect())?;
    let load = fs::read_to_string("/proc/loadavg")?;
    note(&format!("load of this machine before: {}", load.trim()))?;
    let mut failed = false;
    for group in wanted {
        if let Err(error) = group.run(&mut report) {
            failed = true;
            writeln!(io::stderr(), "error: {error:#}")?;
        }
    }
    for line in report.missed() {
        writeln!(io::stderr(), "missed: {line}")?;
    }
    Ok(ExitCode::from(u8::from(failed)))
}

fn words() -> Vec<String> {
    let asked = env::var("BENCH").unwrap_or_default();
    let arguments = env::args().skip(1);
    arguments
        .chain(asked.split_whitespace().map(str::to_owned))
        .collect()
}

impl Group {
    const fn new(figures: &'static [Figure], measure: Measure) -> Self {
        Self { figures, measure }
    }

    fn has(&self, words: &[String]) -> bool {
        let named = |word: &String| self.figures.iter().any(|(name, ..)| name.contains(word));
        words.is_empty() || words.iter().any(named)
    }

    fn run(&self, report: &mut Report) -> Result<()> {
        let (topology, measure) = match self.measure {
            Measure::Alone(measure) => return measure(report),
            Measure::Lab(topology, measure) => (topology(), measure),
        };
        let mut lab = Lab::up(&topology)?;
        let outcome = measure(&mut lab, report);
        if outcome.is_err() {
            lab.run().keep_dir();
            writeln!(io::stderr(), "{}", lab.explain())?;
        }
        outcome
    }
}
