//! What our processes take of a machine while nothing happens.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::eventually::throughout;
use lab::steps::step;
use lab::{Lab, Part, tools};

use crate::report::Target::{AtMost, Stated};
use crate::report::{Figure, Report};
use crate::services::{self, Families, Services, shown};

pub(crate) const FIGURES: &[Figure] = &[
    ("speaker_binary_mib", "MiB", Stated),
    ("controller_binary_mib", "MiB", Stated),
    ("speaker_rss_idle_mib", "MiB", AtMost(10.0)),
    ("controller_rss_idle_mib", "MiB", AtMost(15.0)),
    ("speaker_idle_cpu_percent", "%", AtMost(0.2)),
    ("controller_idle_cpu_percent", "%", AtMost(0.2)),
];

const SERVICES: usize = 10;
/// In which what follows a creation ends: announcements are repeated for 4.4 s.
pub(crate) const SETTLING: Duration = Duration::from_secs(10);
pub(crate) const IDLE_SECONDS: u32 = 60;

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    for (name, program) in [
        ("speaker_binary_mib", "seamark-speaker"),
        ("controller_binary_mib", "seamark-controller"),
    ] {
        let bytes = fs::metadata(tools::ours(program)?)?.len();
        report.record(name, mib(bytes / 1024)?)?;
    }
    services::start(lab)?;
    let services = Services::open(lab)?;
    let mut seen = services.watch()?;
    for index in 0..SERVICES {
        let name = format!("bench-{index:04}");
        services.block_on(services.create(&name, Families::Dual))?;
        services.block_on(shown(&mut seen, &name))?;
    }
    idle(lab, SETTLING)?;
    let before = used(lab)?;
    step("60 s of idleness", || {
        idle(lab, Duration::from_secs(IDLE_SECONDS.into()))
    })?;
    let after = used(lab)?;
    // The speaker that takes most stands for all of them.
    for (name, is_asked) in [
        ("speaker", is_speaker as fn(&Part) -> bool),
        ("controller", |part| !is_speaker(part)),
    ] {
        let pairs = before.iter().zip(&after);
        let asked = pairs.filter(|(_, after)| is_asked(&after.part));
        let cpu = asked
            .clone()
            .map(|(before, after)| after.ticks - before.ticks);
        let rss = asked.map(|(_, after)| after.rss_kib);
        let rss = rss.max().context("no process")?;
        let ticks = u32::try_from(cpu.max().context("no process")?)?;
        report.record(&format!("{name}_rss_idle_mib"), mib(rss)?)?;
        let percent = f64::from(ticks) / f64::from(IDLE_SECONDS);
        report.record(&format!("{name}_idle_cpu_percent"), percent)?;
    }
    Ok(())
}

/// What a process has used by now.
pub(crate) struct Used {
    pub(crate) part: Part,
    /// Of 10 ms, so that a tick a second is one percent.
    pub(crate) ticks: u64,
    pub(crate) rss_kib: u64,
}

pub(crate) fn used(lab: &Lab) -> Result<Vec<Used>> {
    let used = lab.parts().into_iter().map(|part| {
        let process = lab.process(&part)?;
        Ok(Used {
            ticks: process.cpu_ticks()?,
            rss_kib: process.rss_kib()?,
            part,
        })
    });
    used.collect()
}

pub(crate) fn is_speaker(part: &Part) -> bool {
    match part {
        Part::Speaker(_) => true,
        Part::Controller | Part::OtherController => false,
    }
}

pub(crate) fn idle(lab: &Lab, span: Duration) -> Result<()> {
    throughout(span, "all run", || {
        lab.parts()
            .iter()
            .try_for_each(|part| lab.process(part)?.expect_running())
    })
}

pub(crate) fn mib(kib: u64) -> Result<f64> {
    Ok(f64::from(u32::try_from(kib)?) / 1024.0)
}
