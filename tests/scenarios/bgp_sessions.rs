//! Sessions stand with FRR, BIRD and GoBGP, however both sides were told to meet.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::Lab;
use lab::address::{ROUTED_CLIENT, node};
use lab::peer::{Capability, Config, Distance, Families, Peer, Program};
use lab::runner::Scenario;
use serde_json::json;

use crate::peering::{
    NODE_AS, NODES, Over, Peering, ROUTER_AS, SESSION, begin, expect_hops, expect_paths,
    identifier, pool, secret,
};
use crate::vips::{create, start, vips};

const LONG: Duration = Duration::from_secs(240);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "FRR learns both families over one session, by IPv4 and by IPv6",
            |lab| both_families(lab, Program::Frr),
        )
        .within(LONG),
        Scenario::new(
            "BIRD learns both families over one session, by IPv4 and by IPv6",
            |lab| both_families(lab, Program::Bird),
        )
        .within(LONG),
        Scenario::new(
            "GoBGP learns both families over one session, by IPv4 and by IPv6",
            |lab| both_families(lab, Program::GoBgp),
        )
        .within(LONG),
        Scenario::new(
            "ASNs of two and four octets meet, inside one AS and between two",
            asns,
        )
        .within(LONG),
        Scenario::new(
            "with a password a session stands only while both sides have the same one",
            passwords,
        )
        .within(LONG),
        Scenario::new(
            "with TTL security a session stands only if both sides hold it",
            ttl_security,
        )
        .within(LONG),
        Scenario::new(
            "a router behind another is reached with ebgpMultiHop and not without",
            multihop,
        )
        .within(LONG),
        Scenario::new(
            "a router that takes one family is told that family alone",
            one_family,
        )
        .within(LONG),
        Scenario::new(
            "a router that waits for whoever dials from the segment gets every node",
            dynamic_neighbours,
        ),
    ]
}

/// Each node has one session with the router, which learns both addresses from all of them.
fn both_families(lab: &mut Lab, program: Program) -> Result<()> {
    pool(lab)?;
    start(lab)?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    for over in Over::BOTH {
        let peering = Peering::over(over);
        let router = peering.start(lab, program)?;
        peering.apply(lab)?;
        for session in peering.wait(lab, &*router)? {
            ensure!(session.remote_asn == NODE_AS, "{session:?}");
            ensure!(session.hold_time == Duration::from_secs(9), "{session:?}");
            for wanted in [
                Capability::Ipv4Unicast,
                Capability::Ipv6Unicast,
                Capability::FourOctetAs,
                Capability::RouteRefresh,
            ] {
                let said = session.capabilities.contains(&wanted);
                ensure!(said, "{wanted:?} is not said: {session:?}");
            }
        }
        let sessions = router.sessions()?.len();
        ensure!(sessions == NODES.len(), "{sessions} sessions over {over:?}");
        for vip in vips {
            expect_paths(lab, &*router, vip, &NODES)?;
            if program != Program::GoBgp {
                expect_hops(lab, router.host(), vip, &NODES)?;
            }
        }
        peering.delete(lab)?;
    }
    Ok(())
}

fn asns(lab: &mut Lab) -> Result<()> {
    const LONG_AS: u32 = 4_200_000_001;
    pool(lab)?;
    start(lab)?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    for (mine, theirs) in [
        (LONG_AS, ROUTER_AS),
        (NODE_AS, LONG_AS),
        (LONG_AS, LONG_AS + 1),
        (LONG_AS, LONG_AS),
        (NODE_AS, NODE_AS),
    ] {
        let peering = Peering {
            my_asn: mine,
            router_asn: theirs,
            ..Peering::default()
        };
        let router = peering.start(lab, Program::Frr)?;
        peering.apply(lab)?;
        peering.wait(lab, &*router)?;
        let as_path: &[u32] = if mine == theirs { &[] } else { &[mine] };
        for vip in vips {
            for path in expect_paths(lab, &*router, vip, &NODES)? {
                ensure!(path.as_path == as_path, "{mine} to {theirs}: {path:?}");
            }
        }
        peering.delete(lab)?;
    }
    Ok(())
}

fn passwords(lab: &mut Lab) -> Result<()> {
    for (over, program) in [
        (Over::Ipv4, Program::Frr),
        (Over::Ipv6, Program::Bird),
        (Over::Ipv4, Program::GoBgp),
    ] {
        let right = Peering {
            password: Some("first".to_owned()),
            ..Peering::over(over)
        };
        let router = begin(lab, program, &right)?;
        drop(router);
        // The router has another, or none: nothing stands.
        for password in [Some("second".to_owned()), None] {
            let wrong = Peering {
                password,
                ..right.clone()
            };
            let router = wrong.start(lab, program)?;
            right.expect_none(lab, &*router)?;
        }
        // Both have another: what is in the Secret counts, also when it changes.
        let second = Peering {
            password: Some("second".to_owned()),
            ..right.clone()
        };
        let router = second.start(lab, program)?;
        secret(lab, "second")?;
        second.wait(lab, &*router)?;
        drop(router);
        // A password on the router alone.
        let none = Peering {
            password: None,
            ..right.clone()
        };
        none.delete(lab)?;
        none.apply(lab)?;
        let router = second.start(lab, program)?;
        second.expect_none(lab, &*router)?;
        drop(router);
        let router = none.start(lab, program)?;
        none.wait(lab, &*router)?;
        none.delete(lab)?;
    }
    Ok(())
}

fn ttl_security(lab: &mut Lab) -> Result<()> {
    let near = Distance::Secured(1);
    for (over, program) in [
        (Over::Ipv4, Program::Frr),
        (Over::Ipv6, Program::Bird),
        (Over::Ipv6, Program::Frr),
        (Over::Ipv4, Program::GoBgp),
    ] {
        let with = |distance| Peering {
            distance,
            ..Peering::over(over)
        };
        for (ours, theirs) in [
            (near, near),
            (Distance::Direct, near),
            (near, Distance::Direct),
        ] {
            let router = with(theirs).start(lab, program)?;
            let peering = with(ours);
            // What the field says cannot be taken back by leaving it out of an apply.
            peering.apply(lab)?;
            if lab.parts().is_empty() {
                start(lab)?;
            }
            if ours == theirs {
                peering.wait(lab, &*router)?;
            } else {
                peering.expect_none(lab, &*router)?;
            }
            peering.delete(lab)?;
        }
    }
    Ok(())
}

/// The client plays the router: it is behind r1, two hops from the nodes.
fn multihop(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    start(lab)?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    for over in Over::BOTH {
        let far = Distance::Multihop(5);
        let peering = Peering {
            distance: far,
            ..Peering::over(over)
        };
        let own = over.of(ROUTED_CLIENT);
        let mut config = Config::new(ROUTER_AS, identifier(1)?);
        for number in 1..=lab.topology().nodes {
            let peer = Peer::new(over.of(node(number)), NODE_AS);
            config = config.peer(peer.distance(far).source(own).passive());
        }
        let router = Program::Frr.start(&lab.client_host(), &config)?;
        let direct = Peering {
            distance: Distance::Direct,
            ..peering.clone()
        };
        direct.apply_at(lab, own, &json!({}))?;
        direct.expect_none(lab, &*router)?;
        peering.apply_at(lab, own, &json!({}))?;
        peering.wait(lab, &*router)?;
        for vip in vips {
            expect_paths(lab, &*router, vip, &NODES)?;
        }
        peering.delete(lab)?;
    }
    Ok(())
}

fn one_family(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    start(lab)?;
    create(lab, "web")?;
    let [v4, v6] = vips(lab, "web")?;
    for (families, told, untold) in [(Families::Ipv4, v4, v6), (Families::Ipv6, v6, v4)] {
        let peering = Peering::default();
        let mut config = Config::new(ROUTER_AS, identifier(1)?);
        for number in 1..=lab.topology().nodes {
            config = config.peer(Peer::new(peering.node(number), NODE_AS).families(families));
        }
        let router = Program::Frr.start(&lab.host("r1"), &config)?;
        peering.apply(lab)?;
        for number in 1..=lab.topology().nodes {
            router.wait_established(peering.node(number), SESSION)?;
        }
        expect_paths(lab, &*router, told, &NODES)?;
        expect_paths(lab, &*router, untold, &[])?;
        peering.delete(lab)?;
    }
    Ok(())
}

fn dynamic_neighbours(lab: &mut Lab) -> Result<()> {
    let peering = Peering::default();
    let config = Config::new(ROUTER_AS, identifier(1)?)
        .peer(Peer::range("10.99.0.0/28", NODE_AS).hold_time(9));
    let router = Program::Frr.start(&lab.host("r1"), &config)?;
    pool(lab)?;
    peering.apply(lab)?;
    start(lab)?;
    peering.wait(lab, &*router)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        expect_paths(lab, &*router, vip, &NODES)?;
        expect_hops(lab, router.host(), vip, &NODES)?;
    }
    Ok(())
}
