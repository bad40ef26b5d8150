use std::net::SocketAddr;

use sys::netlink::Kind;

use super::*;

fn interface(index: u32, prefixes: &[&str]) -> Interface {
    Interface {
        index: InterfaceIndex::new(index).unwrap(),
        name: "eth1".to_owned(),
        mac: Some([2, 0, 0, 0, 0, 1]),
        kind: Kind::Ethernet,
        up: true,
        enslaved: false,
        bridge_has_uplink: false,
        prefixes: prefixes
            .iter()
            .map(|text| (text.parse().unwrap(), 64))
            .collect(),
        default_route_v4: false,
        default_route_v6: false,
    }
}

fn driver() -> (Driver, watch::Receiver<Neighbors>) {
    let (neighbors, seen) = watch::channel(Neighbors::new());
    let driver = Driver {
        neighbors,
        tasks: JoinSet::new(),
        running: BTreeMap::new(),
        failing: BTreeSet::new(),
    };
    (driver, seen)
}

#[test]
fn a_link_is_known_by_its_link_local_address() {
    let with = link(&interface(2, &["10.99.0.1", "fd99::1", "fe80::1"])).unwrap();
    assert_eq!(with.address, Some("fe80::1".parse().unwrap()));
    assert_eq!(with.mac, Mac([2, 0, 0, 0, 0, 1]));
    let without = link(&interface(2, &["fd99::1"])).unwrap();
    assert_eq!(without.address, None);
    let tunnel = Interface {
        mac: None,
        ..interface(2, &["fe80::1"])
    };
    assert_eq!(link(&tunnel), None);
}

#[test]
fn a_neighbour_is_reached_on_its_link() {
    let neighbor = Neighbor {
        address: "fe80::1".parse().unwrap(),
        link: InterfaceIndex::new(7).unwrap(),
    };
    let expected: SocketAddr = "[fe80::1%7]:179".parse().unwrap();
    assert_eq!(SocketAddr::V6(neighbor.socket_address(179)), expected);
}

#[tokio::test]
async fn a_neighbour_is_forgotten_with_its_interface_and_not_with_its_link() {
    let (mut driver, seen) = driver();
    let name = InterfaceName::new("eth1");
    let wanted = BTreeSet::from([name.clone()]);
    let neighbor = Neighbor {
        address: "fe80::1".parse().unwrap(),
        link: InterfaceIndex::new(2).unwrap(),
    };
    driver.neighbors.send_modify(|all| {
        all.insert(name.clone(), neighbor);
    });
    let down = Interface {
        up: false,
        ..interface(2, &[])
    };
    driver.reconcile(&wanted, &[down]);
    assert_eq!(seen.borrow().get(&name), Some(&neighbor));
    // Another interface of the same name.
    driver.reconcile(&wanted, &[interface(3, &["fe80::11"])]);
    assert_eq!(*seen.borrow(), Neighbors::new());
    assert_eq!(driver.running[&name].index.get(), 3);
    driver.reconcile(&BTreeSet::new(), &[interface(3, &["fe80::11"])]);
    assert!(driver.running.is_empty());
}
