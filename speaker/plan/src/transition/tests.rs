use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::{
    AdvertisementName, BgpAttributes, Holder, InterfaceName, IpFamily, NodeName, PeerName,
    PoolName, ServiceKey, Uid,
};

use crate::{
    Advertised, Announced, Offer, Plan, Protocol, Snapshot, Terms, Transition, Withheld,
    WithheldAddress, transitions,
};

#[test]
fn an_address_that_begins_says_where() {
    for vip in vips() {
        let plan = announcing(vip, "web", &["eth0", "eth1"]);
        assert_eq!(
            transitions(&after(&Plan::default()), &plan),
            [announce(vip, "web", &["eth0", "eth1"])]
        );
    }
}

#[test]
fn what_goes_on_is_not_said_again() {
    for vip in vips() {
        let plan = announcing(vip, "web", &["eth0"]);
        assert_eq!(transitions(&after(&plan), &plan), []);
    }
}

#[test]
fn an_address_that_changes_its_interface_says_the_new_one() {
    for vip in vips() {
        let before = after(&announcing(vip, "web", &["eth0"]));
        let plan = announcing(vip, "web", &["eth1"]);
        assert_eq!(
            transitions(&before, &plan),
            [announce(vip, "web", &["eth1"])]
        );
    }
}

#[test]
fn an_address_that_ceases_says_why() {
    let owner = || model::NodeName::new("n2");
    for vip in vips() {
        let before = after(&announcing(vip, "web", &["eth0"]));
        let mut plan = Plan::default();
        assert_eq!(
            transitions(&before, &plan),
            [withdraw(vip, "web", Withheld::ServiceGone)]
        );
        let why = Withheld::OtherNode { owner: owner() };
        withhold(&mut plan, vip, "web", why.clone());
        assert_eq!(transitions(&before, &plan), [withdraw(vip, "web", why)]);
    }
}

#[test]
fn an_address_without_an_interface_to_answer_on_ceases_and_begins_again() {
    for vip in vips() {
        let up = announcing(vip, "web", &["eth0"]);
        let mut down = announcing(vip, "web", &[]);
        let why = Withheld::LinkDown {
            interface: InterfaceName::new("eth0"),
        };
        withhold(&mut down, vip, "web", why.clone());
        assert_eq!(transitions(&after(&up), &down), [withdraw(vip, "web", why)]);
        assert_eq!(transitions(&after(&down), &down), []);
        assert_eq!(
            transitions(&after(&down), &up),
            [announce(vip, "web", &["eth0"])]
        );
    }
}

#[test]
fn an_address_that_gets_another_holder_ceases_for_the_old_one() {
    for vip in vips() {
        let before = after(&announcing(vip, "web", &["eth0"]));
        let plan = announcing(vip, "shop", &["eth0"]);
        let why = Withheld::HeldByAnother {
            service: holder("shop").service.clone(),
        };
        assert_eq!(
            transitions(&before, &plan),
            [withdraw(vip, "web", why), announce(vip, "shop", &["eth0"])]
        );
    }
}

#[test]
fn what_peers_are_told_begins_and_ceases_by_itself() {
    for vip in vips() {
        let silent = Plan::default();
        let told = advertising(vip, true);
        let advertised = &told.advertised[&vip];
        let begins = Transition::Advertise {
            address: vip,
            service: holder("web"),
            terms: Arc::clone(&advertised.terms),
        };
        assert_eq!(
            transitions(&after(&silent), &told),
            std::slice::from_ref(&begins)
        );
        assert_eq!(transitions(&after(&told), &told), []);

        let mut untold = advertising(vip, false);
        let prefix = crate::RoutePrefix::around(vip, 24);
        let service = holder("web").service.clone();
        let why = Withheld::LocalInAggregate { prefix, service };
        untold.withheld.insert(vip, towards_peers(why.clone()));
        assert_eq!(transitions(&after(&told), &untold), [retract(vip, why)]);
        assert_eq!(transitions(&after(&untold), &untold), []);
        assert_eq!(transitions(&after(&untold), &told), [begins]);
        assert_eq!(
            transitions(&after(&told), &silent),
            [retract(vip, Withheld::ServiceGone)]
        );
    }
}

#[test]
fn what_ceases_in_one_way_only_is_not_asked_for_in_that_way() {
    let pool = || PoolName::new("pool");
    for vip in vips() {
        let layer2 = announcing(vip, "web", &["eth0"]);
        let bgp = advertising(vip, true);
        let both = Plan {
            announced: layer2.announced.clone(),
            ..bgp.clone()
        };
        let why = Withheld::NoAdvertisement { pool: pool() };
        assert_eq!(
            transitions(&after(&both), &bgp),
            [withdraw(vip, "web", why.clone())]
        );
        assert_eq!(transitions(&after(&both), &layer2), [retract(vip, why)]);

        let mut elsewhere = bgp;
        let owner = NodeName::new("n2");
        let why = Withheld::OtherNode { owner };
        withhold(&mut elsewhere, vip, "web", why.clone());
        assert_eq!(
            transitions(&after(&both), &elsewhere),
            [withdraw(vip, "web", why)]
        );
    }
}

/// The snapshot after a plan, as far as it is what the plan left.
fn after(plan: &Plan) -> Snapshot {
    Snapshot {
        announced: plan.announced.clone(),
        advertised: plan.advertised.clone(),
        ..Snapshot::new(NodeName::new("n1"))
    }
}

fn vips() -> [IpAddr; 2] {
    ["10.99.0.200", "fd99::200"].map(|text| text.parse().unwrap())
}

fn holder(name: &str) -> Arc<Holder> {
    Arc::new(Holder {
        service: ServiceKey::new("default", name),
        uid: Uid::new(format!("uid-of-{name}")),
    })
}

fn interfaces(names: &[&str]) -> Arc<[InterfaceName]> {
    names.iter().map(|name| InterfaceName::new(*name)).collect()
}

fn announcing(vip: IpAddr, name: &str, on: &[&str]) -> Plan {
    let announced = Announced {
        service: holder(name),
        pool: PoolName::new("pool"),
        interfaces: interfaces(on),
    };
    Plan {
        announced: BTreeMap::from([(vip, announced)]),
        ..Plan::default()
    }
}

fn advertising(vip: IpAddr, told: bool) -> Plan {
    let offer = Offer {
        length: 24,
        advertisements: Arc::new([AdvertisementName::new("all")]),
        attributes: Arc::new(BgpAttributes::default()),
        aggregate_anyway: false,
        peers: Arc::new([PeerName::new("router")]),
    };
    let advertised = Advertised {
        service: holder("web"),
        pool: PoolName::new("pool"),
        terms: Arc::new(Terms {
            family: IpFamily::of(vip),
            offers: vec![offer],
        }),
        told,
    };
    Plan {
        advertised: BTreeMap::from([(vip, advertised)]),
        ..Plan::default()
    }
}

fn towards_peers(why: Withheld) -> WithheldAddress {
    WithheldAddress {
        service: holder("web"),
        layer2: None,
        bgp: Some(why),
    }
}

fn retract(address: IpAddr, why: Withheld) -> Transition {
    Transition::Withdraw {
        address,
        service: holder("web"),
        protocol: Protocol::Bgp,
        why,
    }
}

fn withhold(plan: &mut Plan, vip: IpAddr, name: &str, why: Withheld) {
    let withheld = WithheldAddress {
        service: holder(name),
        layer2: Some(why),
        bgp: None,
    };
    plan.withheld.insert(vip, withheld);
}

fn announce(address: IpAddr, name: &str, on: &[&str]) -> Transition {
    Transition::Announce {
        address,
        service: holder(name),
        interfaces: interfaces(on),
    }
}

fn withdraw(address: IpAddr, name: &str, why: Withheld) -> Transition {
    Transition::Withdraw {
        address,
        service: holder(name),
        protocol: Protocol::Layer2,
        why,
    }
}
