//! What becomes of a change of Kubernetes objects on the wire: no more than it asks for, and no
//! session is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::address;
use lab::capture::bgp::Told;
use lab::peer::{Path, Program, Router};
use lab::runner::Scenario;
use lab::{Host, Lab, Prober, Topology, eventually};
use serde_json::{Value, json};

use crate::ask::{self, POOL, annotations, change};
use crate::peering::{
    NODES, Peering, ROUTER_AS, advertisement, begin, expect_hops, expect_paths, expect_routed,
    times_established,
};
use crate::told::{announced, by_node, expect_same, expect_told, hops, told_while, withdrawn};
use crate::vips::{SOON, Vips, create, delete, vips};

const LONG: Duration = Duration::from_secs(180);
/// Services that stand beside the one that changes.
const MANY: usize = 300;
/// Who asks through the router every 50 ms notices nothing.
const GAP: Duration = Duration::from_millis(500);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a Service that comes, changes or goes costs one UPDATE a family and no session",
            services,
        )
        .within(LONG),
        Scenario::new(
            "an edited pool, advertisement or Community is told for its own addresses alone",
            edits,
        )
        .within(LONG),
        Scenario::new(
            "labels of a node take its next hop away and bring it back, and its session stays",
            labels,
        ),
        Scenario::new(
            "a BGPPeer that comes, goes or is changed leaves the sessions with others alone",
            peers,
        )
        .on(Topology::default().with_routers(2))
        .within(LONG),
    ]
}

// --- Services ----------------------------------------------------------------------------------

fn services(lab: &mut Lab) -> Result<()> {
    let router = begin(lab, Program::Frr, &Peering::default())?;
    let wide = json!({ "addresses": ["10.97.0.0/22", "fd97::/64"] });
    ask::pool(lab, "bgp", &wide)?;
    create(lab, "kept")?;
    hops(lab, router.host(), vips(lab, "kept")?, &NODES)?;
    let before = times_established(&*router)?;
    one_update_each(lab, router.host())?;
    many(lab, &*router)?;
    one_update_each(lab, router.host())?;
    expect_same(&before, &*router)
}

/// All that may happen to one Service, each time counted on the wire.
fn one_update_each(lab: &Lab, router: &Host) -> Result<()> {
    let nothing = Told::default;
    let came = told_while(lab, router, || {
        create(lab, "web")?;
        hops(lab, router, vips(lab, "web")?, &NODES)
    })?;
    let shown = vips(lab, "web")?;
    let expected = [announced(shown), announced(shown), announced(shown)];
    expect_told("a Service came", &came, &expected)?;

    // Another name of a port is another EndpointSlice.
    let changed = told_while(lab, router, || {
        let ports = json!([{ "name": "more", "port": 81, "targetPort": 8080 }]);
        change(lab, "web", &json!({ "spec": { "ports": ports } }))?;
        for (vip, node) in shown.iter().flat_map(|vip| NODES.map(|node| (*vip, node))) {
            let what = format!("{node} serves {vip} at its new port");
            eventually(SOON, &what, || by_node(lab, node, vip, 81))?;
        }
        Ok(())
    })?;
    let expected = [nothing(), nothing(), nothing()];
    expect_told("a port changed", &changed, &expected)?;

    // n3 has no endpoint.
    let policy = |name: &str| json!({ "spec": { "externalTrafficPolicy": name } });
    let local = told_while(lab, router, || {
        change(lab, "web", &policy("Local"))?;
        hops(lab, router, shown, &["n1", "n2"])
    })?;
    let expected = [nothing(), nothing(), withdrawn(shown)];
    expect_told("its policy is Local", &local, &expected)?;
    let cluster = told_while(lab, router, || {
        change(lab, "web", &policy("Cluster"))?;
        hops(lab, router, shown, &NODES)
    })?;
    let expected = [nothing(), nothing(), announced(shown)];
    expect_told("it is Cluster again", &cluster, &expected)?;

    let went = told_while(lab, router, || {
        delete(lab, "web")?;
        hops(lab, router, shown, &[])
    })?;
    let expected = [withdrawn(shown), withdrawn(shown), withdrawn(shown)];
    expect_told("it went", &went, &expected)
}

/// Hundreds of Services, told by all nodes.
fn many(lab: &Lab, router: &dyn Router) -> Result<()> {
    let known = |is_v4| -> Result<usize> { Ok(router.routes(is_v4)?.len()) };
    let before = known(true)?;
    let service = |number| {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": format!("many-{number}") },
            // Without a selector nobody writes their EndpointSlices: usable endpoints may exist.
            "spec": {
                "type": "LoadBalancer",
                "ipFamilyPolicy": "RequireDualStack",
                "ports": [{ "port": 80 }],
            },
        })
    };
    let all: Vec<Value> = (0..MANY).map(service).collect();
    lab.create(&json!({ "apiVersion": "v1", "kind": "List", "items": all }).to_string())?;
    eventually(2 * SOON, "hundreds of Services are told", || {
        let now = [known(true)?, known(false)?];
        ensure!(now == [before + MANY; 2], "{now:?} routes");
        Ok(())
    })
}

// --- pools, advertisements, communities --------------------------------------------------------

/// Inside one AS, so that LOCAL_PREF is told. Of two pools one is left as it is.
fn edits(lab: &mut Lab) -> Result<()> {
    let peering = Peering {
        my_asn: ROUTER_AS,
        ..Peering::default()
    };
    let router = begin(lab, Program::Frr, &peering)?;
    other_pool(lab, "yes")?;
    inside(lab, "64512:7")?;
    ask::create(lab, "mine", &annotations(&[(POOL, "bgp")]))?;
    ask::create(lab, "other", &annotations(&[(POOL, "other")]))?;
    let (mine, other) = (vips(lab, "mine")?, vips(lab, "other")?);
    for vip in mine.into_iter().chain(other) {
        expect_paths(lab, &*router, vip, &NODES)?;
    }
    let before = times_established(&*router)?;
    attributes(lab, &*router, mine)?;

    // The other pool's label is what its advertisement goes by.
    for (label, nodes, told) in [
        ("no", &[][..], withdrawn(other)),
        ("yes", &NODES[..], announced(other)),
    ] {
        let said = told_while(lab, router.host(), || {
            other_pool(lab, label)?;
            let mut vips = other.into_iter();
            vips.try_for_each(|vip| expect_paths(lab, &*router, vip, nodes).map(drop))
        })?;
        let expected = [told.clone(), told.clone(), told];
        expect_told("a pool's label was edited", &said, &expected)?;
    }

    // More addresses in a pool are no matter of those that it has.
    let more = json!({ "addresses": ["10.97.0.0/24", "fd97::/64", "10.97.7.0/24"] });
    let said = told_while(lab, router.host(), || {
        ask::pool(lab, "bgp", &more)?;
        let wanted = annotations(&[(ask::ADDRESSES, "10.97.7.7,fd97::77")]);
        ask::create(lab, "wanted", &wanted)?;
        let mut vips = vips(lab, "wanted")?.into_iter();
        vips.try_for_each(|vip| expect_paths(lab, &*router, vip, &NODES).map(drop))
    })?;
    let wanted = announced(vips(lab, "wanted")?);
    let expected = [wanted.clone(), wanted.clone(), wanted];
    expect_told("a pool got more addresses", &said, &expected)?;
    delete(lab, "wanted")?;

    aggregates(lab, &*router, mine)?;
    expect_same(&before, &*router)
}

/// Each edit of an advertisement, and of a Community that it names, is told once for each family.
fn attributes(lab: &Lab, router: &dyn Router, mine: Vips) -> Result<()> {
    let is_marked = |path: &Path, communities: [&str; 2]| path.communities.iter().eq(communities);
    let names = json!(["64512:1", "inside"]);
    edit(
        lab,
        router,
        mine,
        "communities",
        |path| is_marked(path, ["64512:1", "64512:7"]),
        || advertisement(lab, &json!({ "communities": names })),
    )?;
    edit(
        lab,
        router,
        mine,
        "a Community",
        |path| is_marked(path, ["64512:1", "64512:8"]),
        || inside(lab, "64512:8"),
    )?;
    edit(
        lab,
        router,
        mine,
        "localPref",
        |path| path.local_pref == Some(300),
        || advertisement(lab, &json!({ "communities": names, "localPref": 300 })),
    )?;
    edit(
        lab,
        router,
        mine,
        "med",
        |path| path.multi_exit_disc == Some(50) && path.local_pref == Some(300),
        || {
            let fields = json!({ "communities": names, "localPref": 300, "med": 50 });
            advertisement(lab, &fields)
        },
    )
}

fn edit(
    lab: &Lab,
    router: &dyn Router,
    mine: Vips,
    what: &str,
    is_right: impl Fn(&Path) -> bool,
    happens: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let said = told_while(lab, router.host(), || {
        happens()?;
        eventually(SOON, &format!("{what} arrived"), || {
            for vip in mine {
                let paths = expect_paths(lab, router, vip, &NODES)?;
                ensure!(paths.iter().all(&is_right), "{paths:?}");
            }
            Ok(())
        })
    })?;
    let expected = [announced(mine), announced(mine), announced(mine)];
    expect_told(&format!("{what} edited"), &said, &expected)
}

/// A prefix of the whole pool takes the place of its addresses.
fn aggregates(lab: &Lab, router: &dyn Router, mine: Vips) -> Result<()> {
    let whole = ["10.97.0.0/24", "fd97::/64"];
    let said = told_while(lab, router.host(), || {
        advertisement(
            lab,
            &json!({ "aggregationLength": 24, "aggregationLengthV6": 64 }),
        )?;
        for (vip, prefix) in mine.into_iter().zip(whole) {
            expect_paths(lab, router, vip, &[])?;
            eventually(SOON, &format!("{prefix} is told by all"), || {
                let paths = router.paths(prefix)?;
                ensure!(paths.len() == NODES.len(), "it has {paths:?}");
                Ok(())
            })?;
            expect_routed(lab, vip)?;
        }
        Ok(())
    })?;
    let told = Told {
        // What goes and what comes, in each family.
        updates: 4,
        announced: ["10.97.0.0".parse()?, "fd97::".parse()?].into(),
        withdrawn: mine.into(),
    };
    let expected = [told.clone(), told.clone(), told];
    expect_told("aggregationLength edited", &said, &expected)
}

/// A pool beside, told by an advertisement that goes by its label.
fn other_pool(lab: &Lab, label: &str) -> Result<()> {
    let pool = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": "other", "labels": { "told": label } },
        "spec": { "addresses": ["10.97.1.0/24", "fd97:0:0:1::/64"] },
    });
    lab.apply(&pool.to_string())?;
    let advertisement = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "BGPAdvertisement",
        "metadata": { "name": "other" },
        "spec": { "ipAddressPoolSelectors": [{ "matchLabels": { "told": "yes" } }] },
    });
    lab.apply(&advertisement.to_string())
}

/// The Community `inside` has this value.
fn inside(lab: &Lab, value: &str) -> Result<()> {
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "Community",
        "metadata": { "name": "site" },
        "spec": { "communities": [{ "name": "inside", "value": value }] },
    });
    lab.apply(&object.to_string())
}

// --- nodes -------------------------------------------------------------------------------------

fn labels(lab: &mut Lab) -> Result<()> {
    let router = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    let host = router.host();
    hops(lab, host, shown, &NODES)?;
    let before = times_established(&*router)?;
    for (vip, node) in shown.iter().flat_map(|vip| NODES.map(|node| (*vip, node))) {
        eventually(SOON, "all nodes serve", || by_node(lab, node, vip, 80))?;
    }
    let [v4, v6] =
        shown.map(|vip| Prober::http(&lab.client_host(), vip, Duration::from_millis(50)));
    let probers = [v4?, v6?];
    // Labels that an advertisement goes by.
    let rack = |node, value| lab.set_node_label(node, "rack", value);
    rack("n1", Some("a"))?;
    let selectors = json!({ "nodeSelectors": [{ "matchLabels": { "rack": "a" } }] });
    advertisement(lab, &selectors)?;
    hops(lab, host, shown, &["n1"])?;
    rack("n3", Some("a"))?;
    hops(lab, host, shown, &["n1", "n3"])?;
    rack("n1", Some("b"))?;
    hops(lab, host, shown, &["n3"])?;
    for prober in probers {
        prober.stop()?.expect_no_gap(GAP)?;
    }
    rack("n3", None)?;
    hops(lab, host, shown, &[])?;
    advertisement(lab, &json!({}))?;
    hops(lab, host, shown, &NODES)?;
    expect_same(&before, &*router)
}

// --- peers -------------------------------------------------------------------------------------

/// r1 and all that it is told stay as they are, whatever becomes of r2.
fn peers(lab: &mut Lab) -> Result<()> {
    let router = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    hops(lab, router.host(), shown, &NODES)?;
    let before = times_established(&*router)?;
    let said = told_while(lab, router.host(), || changes_of_r2(lab, shown))?;
    let expected = [Told::default(), Told::default(), Told::default()];
    expect_told("r2 was changed", &said, &expected)?;
    hops(lab, router.host(), shown, &NODES)?;
    expect_same(&before, &*router)
}

fn changes_of_r2(lab: &Lab, shown: Vips) -> Result<()> {
    let second = |password: &str| Peering {
        password: Some(password.to_owned()),
        ..Peering::with(2)
    };
    let peering = second("first");
    let router = peering.start(lab, Program::Bird)?;
    let there = |nodes: &[&str]| hops(lab, router.host(), shown, nodes);
    peering.apply(lab)?;
    peering.wait(lab, &*router)?;
    there(&NODES)?;

    // Which nodes speak to it: by a selector, and by the labels that this goes by.
    lab.set_node_label("n1", "rack", Some("a"))?;
    let selectors = json!({ "nodeSelectors": [{ "matchLabels": { "rack": "a" } }] });
    let [address, _] = address::router(2);
    peering.apply_at(lab, address, &selectors)?;
    there(&["n1"])?;
    lab.set_node_label("n3", "rack", Some("a"))?;
    there(&["n1", "n3"])?;
    lab.set_node_label("n1", "rack", None)?;
    there(&["n3"])?;
    let session = router.session(peering.node(1))?;
    ensure!(!session.is_established(), "n1: {session:?}");
    peering.apply(lab)?;
    there(&NODES)?;

    // Another password on our side is the end of its sessions, until it has the same.
    second("second").apply(lab)?;
    there(&[])?;
    let host = router.host().clone();
    drop(router);
    let router = second("second").start(lab, Program::Bird)?;
    second("second").wait(lab, &*router)?;
    hops(lab, &host, shown, &NODES)?;

    peering.delete(lab)?;
    hops(lab, &host, shown, &[])?;
    peering.expect_none(lab, &*router)?;
    expect_hops(lab, &host, shown[0], &[])
}
