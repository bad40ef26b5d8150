//! Two routers at once, so that one event is seen over both families and by both programs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::capture::bgp::{self, Told};
use lab::capture::{BGP, Capture};
use lab::kernel::Changes;
use lab::peer::{Bfd, Program, Router};
use lab::{Lab, eventually, kernel};
use serde_json::json;

use crate::bfd::{profile, router, up, watched};
use crate::peering::{
    NODES, Over, Peering, hops_are, host_prefix, node_at, pool, times_established,
};
use crate::vips::{SOON, Vips, create, start, vips};

/// r1, an FRR by IPv4, r2, a BIRD by IPv6, and Service `web`, which all nodes serve.
pub(crate) struct Pair {
    pub(crate) routers: Vec<(Peering, Box<dyn Router>)>,
    pub(crate) web: Vips,
}

impl Pair {
    /// Seamark and both routers watch each other every so many milliseconds, or not at all.
    pub(crate) fn begin(lab: &mut Lab, interval_ms: Option<u32>) -> Result<Self> {
        let by_v6 = Peering {
            over: Over::Ipv6,
            ..Peering::with(2)
        };
        pool(lab)?;
        if let Some(ms) = interval_ms {
            profile(lab, ms, &json!({}))?;
        }
        let mut routers = Vec::new();
        for (peering, program) in [(Peering::default(), Program::Frr), (by_v6, Program::Bird)] {
            let bfd = interval_ms.map(|ms| Bfd::new(ms.into(), 3));
            let router = router(lab, program, &peering, bfd)?;
            match interval_ms {
                Some(_) => watched(lab, &peering, &json!({}))?,
                None => peering.apply(lab)?,
            }
            router.never_be_late()?;
            routers.push((peering, router));
        }
        start(lab)?;
        create(lab, "web")?;
        let web = vips(lab, "web")?;
        let pair = Self { routers, web };
        for (peering, router) in &pair.routers {
            match interval_ms {
                Some(_) => up(lab, &**router, peering)?,
                None => peering.wait(lab, &**router).map(drop)?,
            }
        }
        pair.hops(lab, web, &NODES, SOON)?;
        Ok(pair)
    }

    /// Waits until both routers send both addresses to exactly these nodes.
    pub(crate) fn hops(
        &self,
        lab: &Lab,
        vips: Vips,
        nodes: &[&str],
        within: Duration,
    ) -> Result<()> {
        let what = format!("{vips:?} go to {nodes:?}");
        eventually(within, &what, || self.hops_are(lab, vips, nodes))
    }

    pub(crate) fn hops_are(&self, lab: &Lab, vips: Vips, nodes: &[&str]) -> Result<()> {
        self.routers.iter().try_for_each(|(_, router)| {
            let mut vips = vips.into_iter();
            vips.try_for_each(|vip| hops_are(lab, router.host(), vip, nodes))
                .with_context(|| format!("{:?}", router.program()))
        })
    }

    /// An error if a router sends one of the addresses to this node.
    pub(crate) fn none_by(&self, lab: &Lab, vips: Vips, node: &str) -> Result<()> {
        for (_, router) in &self.routers {
            for vip in vips {
                for hop in kernel::next_hops(router.host(), &host_prefix(vip))? {
                    let by = node_at(lab, hop)?;
                    ensure!(by != node, "{:?} sends {vip} to {by}", router.program());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn quiet(&self) -> Result<Quiet<'_>> {
        let hosts = self.routers.iter().map(|(_, router)| router.host());
        let times = |(_, router): &(Peering, Box<dyn Router>)| times_established(&**router);
        Ok(Quiet {
            pair: self,
            established: self.routers.iter().map(times).collect::<Result<_>>()?,
            changes: hosts.map(Changes::of).collect::<Result<_>>()?,
        })
    }

    /// What the sleeper tells each router from now on.
    pub(crate) fn listen(&self) -> Result<Vec<Capture>> {
        let hosts = self.routers.iter().map(|(_, router)| router.host());
        hosts
            .map(|host| Capture::start(host, "eth0", BGP))
            .collect()
    }

    pub(crate) fn told(&self, captures: Vec<Capture>) -> Result<Vec<Told>> {
        let captures = captures.into_iter().zip(&self.routers);
        let of = |(capture, (peering, _)): (Capture, &(Peering, _))| {
            let to = peering.over.of(lab::address::router(peering.router));
            let mut told = bgp::told(&capture.finish()?, to)?;
            Ok(told.remove(&peering.node(1)).unwrap_or_default())
        };
        captures.map(of).collect()
    }
}

/// How things stand, for what nobody is to notice.
pub(crate) struct Quiet<'a> {
    pair: &'a Pair,
    established: Vec<Vec<Option<u64>>>,
    changes: Vec<Changes>,
}

impl Quiet<'_> {
    /// No session ended, and no route to `web` changed in a router's kernel.
    pub(crate) fn expect(&self) -> Result<()> {
        for ((_, router), before) in self.pair.routers.iter().zip(&self.established) {
            let now = times_established(&**router)?;
            ensure!(now == *before, "established {before:?}, then {now:?}");
        }
        for changes in &self.changes {
            let mut seen = changes.seen();
            seen.retain(|change| self.pair.web.contains(&change.address));
            ensure!(seen.is_empty(), "{seen:?}");
        }
        Ok(())
    }
}
