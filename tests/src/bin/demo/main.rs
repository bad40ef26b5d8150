//! The main job from end to end, on the screen: Services without an address get one, and clients
//! reach their pods by it, on the segment and through a router that speaks BGP, also when a node dies
//! or the speakers restart.

mod chart;
mod failures;
mod routers;
mod screen;
mod segment;

use std::time::Duration;

use anyhow::Result;
use lab::{Lab, Topology};

use screen::say;

/// For what has no promised time, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    lab::enter()?;
    if is_set("CHART") {
        return by_the_chart();
    }
    say("Seamark: addresses for Services of type LoadBalancer, without a cloud.\n")?;
    let mut lab = Lab::up(&Topology::default())?;
    lab.start_pod("local-1", "n1", &[("app", "web-local")])?;
    lab.start_seamark()?;
    let story = segment::tell(&mut lab)
        .and_then(|()| routers::tell(&mut lab))
        .and_then(|router| {
            // One router at a time.
            drop(router);
            failures::tell(&mut lab)
        });
    let router = match story {
        Ok(router) => router,
        Err(error) => {
            say(&lab.explain())?;
            return Err(error);
        }
    };
    if is_set("KEEP") {
        say(&format!(
            "\nThe lab stays up. Use it like this, and end it with `make down`:\n  {} get svc\n",
            lab.kubectl_line()
        ))?;
        // Its processes belong to the run, which outlives this one.
        std::mem::forget(router);
        return lab.leak();
    }
    Ok(())
}

/// The same as people install it: nodes with kubelet, Helm, and the chart.
fn by_the_chart() -> Result<()> {
    say("Seamark, by its chart, on nodes with containerd and kubelet.\n")?;
    let mut lab = Lab::up(&Topology::real())?;
    let router = match chart::tell(&lab) {
        Ok(router) => router,
        Err(error) => {
            say(&lab.explain())?;
            return Err(error);
        }
    };
    if is_set("KEEP") {
        say(&format!(
            "\nThe lab stays up. Use it like this, and end it with `make down`:\n  {} get svc\n",
            lab.kubectl_line()
        ))?;
        std::mem::forget(router);
        return lab.leak();
    }
    drop(router);
    chart::take_off(&mut lab)
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
