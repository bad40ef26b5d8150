//! Seamark and routers that are all its peers, with a pool for BGP alone.

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use lab::address::{node, router};
use lab::peer::{Config, Peer, Router};
use lab::{Lab, eventually};
use serde_json::{Value, json};

pub(crate) use super::driver::{OUR_AS, ROUTER_AS};
use crate::services::{PATIENCE, start_with};

/// In seconds: what a BGPPeer has that says nothing.
const HOLD_TIME: u16 = 90;

const POOL: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata: {name: bench}
spec:
  addresses: [10.97.0.1-10.97.15.254, 'fd97::1-fd97::1:0']
---
apiVersion: seamark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: bench}
spec:
  ipAddressPools: [bench]
";

/// What router `number` is to do: every node of the lab is its peer.
pub(crate) fn config(lab: &Lab, number: u8) -> Config {
    config_with(lab, number, |peer| peer)
}

/// The same with something more to each peer.
pub(crate) fn config_with(lab: &Lab, number: u8, more: impl Fn(Peer) -> Peer) -> Config {
    let peers = (1..=lab.topology().nodes).map(|number| {
        let [address, _] = node(number);
        more(Peer::new(address, OUR_AS).hold_time(HOLD_TIME))
    });
    let identifier = Ipv4Addr::new(10, 99, 255, number);
    Config::new(ROUTER_AS, identifier).peers(peers)
}

/// Start Seamark with all routers of the lab as its peers.
pub(super) fn start(lab: &mut Lab) -> Result<()> {
    start_alone(lab)?;
    peer(lab, &json!({}))
}

/// Start Seamark, which has nobody to tell yet.
pub(crate) fn start_alone(lab: &mut Lab) -> Result<()> {
    start_with(lab, POOL)
}

/// The pool, where Seamark runs already.
pub(crate) fn pool(lab: &Lab) -> Result<()> {
    lab.apply(POOL)
}

/// Have all routers of the lab for peers, with these fields besides.
pub(crate) fn peer(lab: &Lab, fields: &Value) -> Result<()> {
    for number in 1..=lab.topology().routers {
        let [address, _] = router(number);
        let mut peer = json!({
            "apiVersion": "seamark.io/v1beta1",
            "kind": "BGPPeer",
            "metadata": { "name": format!("r{number}") },
            "spec": {
                "myASN": OUR_AS,
                "peerASN": ROUTER_AS,
                "peerAddress": address,
                "connectTime": "1s",
            },
        });
        if let (Some(spec), Some(more)) = (peer["spec"].as_object_mut(), fields.as_object()) {
            spec.extend(more.clone());
        }
        lab.apply(&peer.to_string())?;
    }
    Ok(())
}

/// Wait until a router has a session with every node.
pub(super) fn established(lab: &Lab, router: &dyn Router) -> Result<()> {
    eventually(PATIENCE, "a session with every node", || {
        let sessions = router.sessions()?;
        let standing = sessions.values().filter(|one| one.is_established());
        let (standing, wanted) = (standing.count(), usize::from(lab.topology().nodes));
        ensure!(standing == wanted, "{standing} of {wanted}");
        Ok(())
    })
}
