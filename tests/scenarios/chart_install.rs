//! The chart is installed, used, and taken off.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::runner::Scenario;
use lab::{Lab, Topology};

use crate::chart::{ADDRESSES, gone, install, pods, uninstall};
use crate::vips::{create, expect_served, expect_silence, vips};

const LONG: Duration = Duration::from_secs(240);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let on_real = |name, run| Scenario::new(name, run).on(Topology::real()).within(LONG);
    vec![on_real(
        "the chart with addresses serves in both families, goes silently, and comes back with them",
        whole_life,
    )]
}

fn whole_life(lab: &mut Lab) -> Result<()> {
    pods(lab)?;
    let said = install(lab, &[ADDRESSES])?;
    ensure!(said.contains("kubectl get seamark"), "{said}");
    create(lab, "web")?;
    let before = vips(lab, "web")?;
    for vip in before {
        expect_served(lab, vip)?;
    }
    uninstall(lab)?;
    for vip in before {
        expect_silence(lab, vip)?;
    }
    gone(lab)?;
    install(lab, &[ADDRESSES])?;
    ensure!(vips(lab, "web")? == before, "other addresses than before");
    for vip in before {
        expect_served(lab, vip)?;
    }
    Ok(())
}
