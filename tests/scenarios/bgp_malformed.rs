//! Malformed UPDATEs that RFC 7606 lets pass: the session stands, and they are counted.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::peer::stub::{Identity, Manner, Stub};
use lab::runner::Scenario;
use lab::{Lab, Part, eventually};

use crate::peering::{NODES, Peering, ROUTER_AS, SESSION, identifier, pool};
use crate::vips::{SOON, create, start, vips};

/// Path attributes of an eBGP path from AS 64512, ORIGIN first.
const ORIGIN_IGP: [u8; 4] = [0x40, 1, 1, 0];
/// RFC 7606 §7.1: a value that is none of the three.
const ORIGIN_UNDEFINED: [u8; 4] = [0x40, 1, 1, 7];
const AS_PATH: [u8; 9] = [0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0];
const NEXT_HOP: [u8; 7] = [0x40, 3, 4, 10, 99, 0, 1];
/// RFC 7606 §7.7: AGGREGATOR of a wrong length.
const AGGREGATOR_SHORT: [u8; 6] = [0xc0, 7, 3, 1, 2, 3];
/// RFC 4760 §3: 2001:db8:77::/48 by fd99::1.
const MP_REACH: [u8; 31] = [
    0x80, 14, 28, 0, 2, 1, 16, 0xfd, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 48, 0x20,
    1, 0x0d, 0xb8, 0, 0x77,
];
/// 203.0.113.0/24.
const PREFIX: [u8; 4] = [24, 203, 0, 113];
const PREFIXES: [&str; 2] = ["203.0.113.0/24", "2001:db8:77::/48"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::new(
        "an UPDATE that is malformed costs its routes, is counted, and ends no session",
        malformed,
    )]
}

fn malformed(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    Peering::default().apply(lab)?;
    start(lab)?;
    create(lab, "web")?;
    vips(lab, "web")?;
    let undefined = [&ORIGIN_UNDEFINED[..], &AS_PATH].concat();
    expect_counted(lab, &undefined, "withdraw")?;
    let aggregator = [&ORIGIN_IGP[..], &AS_PATH, &AGGREGATOR_SHORT].concat();
    expect_counted(lab, &aggregator, "discard")
}

/// A router says it to each node, in both families; the sessions stand, go on to be told, and the
/// treatment is counted.
fn expect_counted(lab: &Lab, attributes: &[u8], treatment: &str) -> Result<()> {
    let identity = Identity {
        asn: ROUTER_AS,
        router_id: identifier(1)?.octets(),
        hold_time: 9,
    };
    let both = [
        update(&[attributes, &NEXT_HOP].concat(), &PREFIX),
        update(&[attributes, &MP_REACH].concat(), &[]),
    ];
    let saying = Manner::Saying(both.concat());
    let stub = Stub::start(&lab.host("r1"), identity, saying)?;
    eventually(SESSION, "each node has a session", || {
        let heard = stub.heard();
        ensure!(heard.sessions >= 3, "{heard:?}");
        Ok(())
    })?;
    let counted =
        format!("seamark_bgp_malformed_updates_total{{peer=\"r1\",treatment=\"{treatment}\"}} 2");
    for node in NODES {
        eventually(SOON, &format!("{node} counts: {counted}"), || {
            let metrics = lab.metrics(&Part::speaker(node))?;
            ensure!(metrics.lines().any(|line| line == counted), "it does not");
            Ok(())
        })?;
        for prefix in PREFIXES {
            let installed = lab.node(node).run(&["ip", "route", "show", prefix])?;
            ensure!(installed.is_empty(), "{node} has installed {installed}");
        }
    }
    // Longer than the hold time.
    let before = stub.heard();
    eventually::throughout(Duration::from_secs(10), "the sessions stand", || {
        let heard = stub.heard();
        let same = heard.sessions == before.sessions && heard.notifications == 0;
        ensure!(same, "{heard:?}");
        Ok(())
    })?;
    let heard = stub.heard();
    ensure!(
        heard.updates > 0 && heard.keepalives > before.keepalives,
        "{heard:?}"
    );
    Ok(())
}

/// An UPDATE with these attributes, for these prefixes.
fn update(attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
    let length = short(attributes.len());
    let total = 19 + 4 + length + short(nlri.len());
    let mut bytes = vec![0xff; 16];
    bytes.extend(total.to_be_bytes());
    bytes.push(2);
    bytes.extend([0, 0]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(attributes);
    bytes.extend(nlri);
    bytes
}
