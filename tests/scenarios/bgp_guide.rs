//! What the guide says of BGP does what it says.

use std::time::Duration;

use anyhow::Result;
use lab::Lab;
use lab::address::node;
use lab::peer::{Program, guide};
use lab::runner::Scenario;

use crate::peering::{NODES, SESSION, expect_hops, expect_paths, expect_routed};
use crate::vips::{create, start, vips};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "the guide's example of BGP gives FRR and BIRD every node as a next hop",
            example,
        )
        .within(Duration::from_secs(180)),
    ]
}

fn example(lab: &mut Lab) -> Result<()> {
    lab.apply(guide::OBJECTS)?;
    start(lab)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for program in [Program::Frr, Program::Bird] {
        let router = program.start(&lab.host("r1"), &guide::router())?;
        for number in 1..=lab.topology().nodes {
            let [address, _] = node(number);
            router.wait_established(address, SESSION)?;
        }
        for vip in shown {
            expect_paths(lab, &*router, vip, &NODES)?;
            expect_hops(lab, router.host(), vip, &NODES)?;
            expect_routed(lab, vip)?;
        }
    }
    Ok(())
}
