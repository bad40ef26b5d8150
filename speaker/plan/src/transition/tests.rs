use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::{Holder, InterfaceName, PoolName, ServiceKey, Uid};

use crate::{Announced, Plan, Transition, Withheld, WithheldAddress, transitions};

#[test]
fn an_address_that_begins_says_where() {
    for vip in vips() {
        let plan = announcing(vip, "web", &["eth0", "eth1"]);
        assert_eq!(
            transitions(&BTreeMap::new(), &plan),
            [announce(vip, "web", &["eth0", "eth1"])]
        );
    }
}

#[test]
fn what_goes_on_is_not_said_again() {
    for vip in vips() {
        let plan = announcing(vip, "web", &["eth0"]);
        assert_eq!(transitions(&plan.announced, &plan), []);
    }
}

#[test]
fn an_address_that_changes_its_interface_says_the_new_one() {
    for vip in vips() {
        let before = announcing(vip, "web", &["eth0"]).announced;
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
        let before = announcing(vip, "web", &["eth0"]).announced;
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
        assert_eq!(
            transitions(&up.announced, &down),
            [withdraw(vip, "web", why)]
        );
        assert_eq!(transitions(&down.announced, &down), []);
        assert_eq!(
            transitions(&down.announced, &up),
            [announce(vip, "web", &["eth0"])]
        );
    }
}

#[test]
fn an_address_that_gets_another_holder_ceases_for_the_old_one() {
    for vip in vips() {
        let before = announcing(vip, "web", &["eth0"]).announced;
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

fn withhold(plan: &mut Plan, vip: IpAddr, name: &str, why: Withheld) {
    let service = holder(name);
    plan.withheld.insert(vip, WithheldAddress { service, why });
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
        why,
    }
}
