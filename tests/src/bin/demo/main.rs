//! The main job from end to end, on the screen: Services without an address get one, and clients
//! reach their pods by it, on the segment and through a router that speaks BGP, also when a node dies
//! or the speakers restart.

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
    if std::env::var_os("KEEP").is_some_and(|keep| !keep.is_empty()) {
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
