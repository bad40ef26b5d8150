//! The example in the guide's page on BGP. The page shows these very texts, which a tidy test holds,
//! and the lab runs them.

use std::net::Ipv4Addr;

use super::bfd::Bfd;
use super::config::{Config, Peer};
use crate::address::{BGP_POOL, node};

/// The AS of the nodes.
const NODES: u32 = 64513;
/// The AS of the router.
const ROUTER: u32 = 64512;

/// What is applied in the cluster.
pub const OBJECTS: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata:
  name: routed
spec:
  addresses:
    - 10.97.0.1-10.97.0.254
    - fd97::1-fd97::ffff
---
apiVersion: seamark.io/v1beta1
kind: BGPPeer
metadata:
  name: r1
spec:
  myASN: 64513
  peerASN: 64512
  peerAddress: 10.99.0.1
  holdTime: 9s
---
apiVersion: seamark.io/v1beta1
kind: BGPAdvertisement
metadata:
  name: routed
spec:
  ipAddressPools: [routed]
";

/// Its router: r1, with the three nodes as its peers. It takes the pool alone, and tells nothing.
pub fn router() -> Config {
    routing(|peer| peer)
}

/// The same router, which watches the nodes by BFD.
pub fn router_with(bfd: Bfd) -> Config {
    routing(|peer| peer.bfd(bfd))
}

fn routing(watched: impl Fn(Peer) -> Peer) -> Config {
    let nodes = (1..=3).map(|number| {
        let [v4, _] = node(number);
        watched(Peer::new(v4, NODES))
    });
    Config::new(ROUTER, Ipv4Addr::new(10, 99, 0, 1))
        .import_within(&BGP_POOL)
        .silent()
        .peers(nodes)
}
