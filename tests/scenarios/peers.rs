//! BGP peers, advertisements and communities as their users see them: what is settled, what is
//! said back, and where passwords go. No router is needed for any of it.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use lab::runner::Scenario;
use lab::{Lab, Part, eventually};
use serde_json::{Value, json};

use crate::vips::{SOON, start};

/// Where Seamark runs.
const NAMESPACE: &str = "seamark-system";
/// What speakers read passwords from.
const COPY: &str = "seamark-speaker";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a BGP peer that is not right says what to change, stays as it was, and heals",
            bad_peers,
        ),
        Scenario::new(
            "a BGP peer is on an interface or in a range as well, and each router is one peer",
            remotes,
        ),
        Scenario::new(
            "a BGP peer never runs without the BFD profile that it names, and a lost one stays",
            profiles,
        ),
        Scenario::new(
            "a BGP advertisement that is not right says what to change, stays as it was, and heals",
            bad_advertisements,
        ),
        Scenario::new(
            "passwords of peers follow their Secrets into the one Secret that speakers read",
            passwords,
        ),
        Scenario::new(
            "a speaker can read the one Secret with passwords and no other",
            speakers_read_one_secret,
        ),
    ]
}

/// Create or change an object.
fn apply(lab: &Lab, kind: &str, name: &str, spec: &Value) -> Result<()> {
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    });
    lab.apply(&object.to_string())
        .with_context(|| format!("applying {kind}/{name}"))
}

/// Create or change a peer with these fields besides the ones it needs; `null` takes one away.
fn peer(lab: &Lab, name: &str, fields: &Value) -> Result<()> {
    let mut spec = json!({ "myASN": 64512, "peerASN": 64513, "peerAddress": "10.99.0.1" });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|_, value| !value.is_null());
    }
    apply(lab, "BGPPeer", name, &spec)
}

/// Wait until an object's condition says this; its message must hold the words.
fn told(lab: &Lab, object: &str, status: &str, reason: &str, words: &[&str]) -> Result<()> {
    let path = "jsonpath={.status.conditions[?(@.type==\"Accepted\")]}";
    eventually(SOON, &format!("{object} is told {reason}"), || {
        let text = lab.kubectl(&["get", object, "-o", path])?;
        let condition: Condition = serde_json::from_str(&text)?;
        let said = (condition.status.as_str(), condition.reason.as_str());
        ensure!(said == (status, reason), "it is told {condition:?}");
        for word in words {
            let message = &condition.message;
            ensure!(message.contains(word), "no {word:?} in {message:?}");
        }
        Ok(())
    })
}

/// What every speaker runs.
fn config(lab: &Lab) -> Result<Value> {
    let text = lab.kubectl(&["get", "speakerconfig", "seamark", "-o", "jsonpath={.spec}"])?;
    Ok(serde_json::from_str(&text)?)
}

/// Wait until a part of SpeakerConfig is this; `null` if it is not there.
fn settled(lab: &Lab, part: &str, expected: &Value) -> Result<()> {
    eventually(SOON, &format!("SpeakerConfig has the {part}"), || {
        let mut config = config(lab)?;
        for peer in config["bgpPeers"].as_array_mut().into_iter().flatten() {
            expect_own_uid(lab, peer)?;
        }
        ensure!(config[part] == *expected, "they are {}", config[part]);
        Ok(())
    })
}

/// Take the uid out of a peer, which is the one of its BGPPeer.
fn expect_own_uid(lab: &Lab, peer: &mut Value) -> Result<()> {
    let name = peer["name"].as_str().unwrap_or_default().to_owned();
    let uid = peer.as_object_mut().and_then(|peer| peer.remove("uid"));
    let path = "jsonpath={.metadata.uid}";
    let own = lab.kubectl(&["get", "bgppeer", &name, "-o", path])?;
    ensure!(uid == Some(json!(own)), "{name} has {uid:?}, not {own:?}");
    Ok(())
}

/// A peer as speakers are told of it, with nothing but what it needs.
fn settled_peer(name: &str, changes: &Value) -> Value {
    let mut peer = json!({
        "name": name,
        "myASN": 64512,
        "peerASN": 64513,
        "peerAddress": "10.99.0.1",
        "peerPort": 179,
        "holdTime": "90s",
        "maxPrefixes": 10000,
        "addressFamilies": ["IPv4", "IPv6"],
        "gracefulRestart": {
            "enabled": true,
            "restartTime": "30s",
            "notification": false,
            "bfdBudget": "10s",
        },
        "gracefulShutdown": { "enabled": true, "wait": "5s" },
    });
    for (field, value) in changes.as_object().into_iter().flatten() {
        peer[field] = value.clone();
    }
    if let Some(peer) = peer.as_object_mut() {
        peer.retain(|_, value| !value.is_null());
    }
    peer
}

fn bad_peers(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    peer(lab, "tor", &json!({}))?;
    told(lab, "bgppeer/tor", "True", "Accepted", &[])?;
    settled(lab, "bgpPeers", &json!([settled_peer("tor", &json!({}))]))?;

    // Names break ties, as both may be of one second; a later name never wins then.
    peer(lab, "tor-again", &json!({}))?;
    let words = ["BGPPeer tor is older", "delete one, or write nodeSelectors"];
    told(lab, "bgppeer/tor-again", "False", "DuplicatePeer", &words)?;
    settled(lab, "bgpPeers", &json!([settled_peer("tor", &json!({}))]))?;
    let v6 = json!({ "peerAddress": "fd99::1" });
    peer(lab, "tor-again", &v6)?;
    told(lab, "bgppeer/tor-again", "True", "Accepted", &[])?;
    let both = [
        settled_peer("tor", &json!({})),
        settled_peer("tor-again", &v6),
    ];
    settled(lab, "bgpPeers", &json!(both))?;

    // What several fields and several objects must agree on is not for one rule of the schema to
    // find: an older twin makes this edit void, and what was in force goes on, over a restart too.
    peer(lab, "tor-again", &json!({ "holdTime": "30s" }))?;
    told(lab, "bgppeer/tor-again", "False", "DuplicatePeer", &words)?;
    settled(lab, "bgpPeers", &json!(both))?;
    lab.restart(&Part::Controller)?;
    lab.wait_ready(&Part::Controller)?;
    peer(
        lab,
        "third",
        &json!({ "peerPort": 1790, "role": "customer" }),
    )?;
    told(lab, "bgppeer/third", "True", "Accepted", &[])?;
    let third = settled_peer("third", &json!({ "peerPort": 1790, "role": "customer" }));
    settled(lab, "bgpPeers", &json!([third, both[0], both[1]]))?;
    lab.kubectl(&["delete", "bgppeer", "tor"])?;
    told(lab, "bgppeer/tor-again", "True", "Accepted", &[])?;
    let again = settled_peer("tor-again", &json!({ "holdTime": "30s" }));
    settled(lab, "bgpPeers", &json!([third, again]))
}

fn remotes(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    let link = json!({ "peerAddress": null, "interface": "eth1" });
    let v4 = json!({ "peerAddress": null, "listenRange": "10.99.0.0/24" });
    let v6 = json!({ "peerAddress": null, "listenRange": "fd99::/64" });
    for (name, fields) in [("link", &link), ("v4", &v4), ("v6", &v6)] {
        peer(lab, name, fields)?;
        told(lab, &format!("bgppeer/{name}"), "True", "Accepted", &[])?;
    }
    let waited_for = |fields: &Value| {
        let mut fields = fields.clone();
        fields["passive"] = json!(true);
        fields
    };
    let all = json!([
        settled_peer("link", &link),
        settled_peer("v4", &waited_for(&v4)),
        settled_peer("v6", &waited_for(&v6)),
    ]);
    settled(lab, "bgpPeers", &all)?;

    // Names break ties, as all may be of one second; a later name never wins then.
    peer(lab, "x-link", &link)?;
    let words = ["BGPPeer link is older", "the same interface"];
    told(lab, "bgppeer/x-link", "False", "DuplicatePeer", &words)?;
    for (range, older) in [("10.99.0.128/25", "v4"), ("fd99::/48", "v6")] {
        let inside = json!({ "peerAddress": null, "listenRange": range });
        peer(lab, "x-range", &inside)?;
        let words = [&*format!("BGPPeer {older} is older"), "overlapping range"];
        told(lab, "bgppeer/x-range", "False", "DuplicatePeer", &words)?;
    }
    settled(lab, "bgpPeers", &all)?;
    let address = json!({ "peerAddress": "10.99.0.1" });
    peer(lab, "x-range", &json!({ "listenRange": null }))?;
    told(lab, "bgppeer/x-range", "True", "Accepted", &[])?;
    let mut more = all;
    if let Some(peers) = more.as_array_mut() {
        peers.push(settled_peer("x-range", &address));
    }
    settled(lab, "bgpPeers", &more)
}

fn profiles(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    let fields = json!({ "bfdProfile": "fast" });
    peer(lab, "tor", &fields)?;
    let words = [
        "there is no BFDProfile fast",
        "create it",
        "not put in force",
    ];
    told(lab, "bgppeer/tor", "False", "UnknownBFDProfile", &words)?;
    settled(lab, "bgpPeers", &Value::Null)?;

    let intervals = json!({ "receiveInterval": 50, "transmitInterval": 60 });
    apply(lab, "BFDProfile", "fast", &intervals)?;
    told(lab, "bgppeer/tor", "True", "Accepted", &[])?;
    told(lab, "bfdprofile/fast", "True", "Accepted", &[])?;
    let with = |receive: u32| {
        let bfd = json!({
            "profile": "fast",
            "receiveInterval": receive,
            "transmitInterval": 60,
            "detectMultiplier": 3,
            "minimumTtl": 254,
        });
        json!([settled_peer("tor", &json!({ "bfd": bfd }))])
    };
    settled(lab, "bgpPeers", &with(50))?;
    apply(
        lab,
        "BFDProfile",
        "fast",
        &json!({ "receiveInterval": 10, "transmitInterval": 60 }),
    )?;
    settled(lab, "bgpPeers", &with(10))?;

    // Missing data is never an order.
    lab.kubectl(&["delete", "bfdprofile", "fast"])?;
    let words = ["there is no BFDProfile fast", "last values stay in use"];
    told(lab, "bgppeer/tor", "True", "UnknownBFDProfile", &words)?;
    settled(lab, "bgpPeers", &with(10))?;
    lab.restart(&Part::Controller)?;
    lab.wait_ready(&Part::Controller)?;
    let second = json!({ "bfdProfile": "fast", "peerAddress": "fd99::1" });
    peer(lab, "second", &second)?;
    told(lab, "bgppeer/second", "False", "UnknownBFDProfile", &[])?;
    told(lab, "bgppeer/tor", "True", "UnknownBFDProfile", &words)?;
    settled(lab, "bgpPeers", &with(10))?;
    lab.kubectl(&["delete", "bgppeer", "second"])?;
    apply(lab, "BFDProfile", "fast", &intervals)?;
    told(lab, "bgppeer/tor", "True", "Accepted", &[])?;
    settled(lab, "bgpPeers", &with(50))?;

    // Another profile that is missing leaves the peer whole as it was.
    peer(
        lab,
        "tor",
        &json!({ "bfdProfile": "faster", "holdTime": "9s" }),
    )?;
    told(
        lab,
        "bgppeer/tor",
        "False",
        "UnknownBFDProfile",
        &["BFDProfile faster"],
    )?;
    settled(lab, "bgpPeers", &with(50))?;
    peer(lab, "tor", &json!({}))?;
    told(lab, "bgppeer/tor", "True", "Accepted", &[])?;
    settled(lab, "bgpPeers", &json!([settled_peer("tor", &json!({}))]))
}

fn bad_advertisements(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    let whole = json!({
        "ipAddressPools": ["lan"],
        "peers": ["tor"],
        "communities": ["inside", "no-export"],
        "aggregationLength": 24,
        "med": 5,
    });
    apply(lab, "BGPAdvertisement", "all", &whole)?;
    let words = ["no Community names \"inside\"", "add it to one"];
    let object = "bgpadvertisement/all";
    told(lab, object, "False", "UnknownCommunity", &words)?;
    settled(lab, "bgpAdvertisements", &Value::Null)?;

    let named = |value: &str| json!({ "communities": [{ "name": "inside", "value": value }] });
    apply(lab, "Community", "site", &named("64512:7"))?;
    told(
        lab,
        object,
        "True",
        "UnknownPool",
        &["no IPAddressPool \"lan\""],
    )?;
    let expected = |inside: &str| {
        json!([{
            "name": "all",
            "ipAddressPools": ["lan"],
            "peers": ["tor"],
            "aggregationLength": 24,
            "aggregationLengthV6": 128,
            "med": 5,
            "communities": [inside, "65535:65281"],
        }])
    };
    settled(lab, "bgpAdvertisements", &expected("64512:7"))?;

    let addresses = ["10.99.0.200-10.99.0.250", "fd99::200-fd99::250"];
    apply(
        lab,
        "IPAddressPool",
        "lan",
        &json!({ "addresses": addresses }),
    )?;
    told(lab, object, "True", "UnknownPeer", &["no BGPPeer \"tor\""])?;
    peer(lab, "tor", &json!({}))?;
    let words = ["length 24", "10.99.0.200-10.99.0.250", "pool lan"];
    told(lab, object, "True", "AggregateBeyondPool", &words)?;
    let addresses = ["10.99.0.0/24", "fd99::200-fd99::250"];
    apply(
        lab,
        "IPAddressPool",
        "lan",
        &json!({ "addresses": addresses }),
    )?;
    told(lab, object, "True", "Accepted", &[])?;

    apply(lab, "Community", "young", &named("64512:8"))?;
    let words = ["Community site is older", "remove one of them"];
    told(
        lab,
        "community/young",
        "False",
        "CommunityNameTaken",
        &words,
    )?;
    settled(lab, "bgpAdvertisements", &expected("64512:7"))?;
    lab.kubectl(&["delete", "community", "site"])?;
    told(lab, "community/young", "True", "Accepted", &[])?;
    settled(lab, "bgpAdvertisements", &expected("64512:8"))?;
    lab.kubectl(&["delete", "community", "young"])?;
    told(lab, object, "False", "UnknownCommunity", &[])?;
    settled(lab, "bgpAdvertisements", &expected("64512:8"))
}

/// Create or change a Secret beside Seamark.
fn secret(lab: &Lab, name: &str, data: &Value) -> Result<()> {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "namespace": NAMESPACE },
        "stringData": data,
    });
    lab.apply(&object.to_string())
}

/// Wait until speakers are given these passwords and nothing else.
fn copied(lab: &Lab, expected: &[(&str, &str)]) -> Result<()> {
    let secrets: Api<Secret> = Api::namespaced(lab.client(), NAMESPACE);
    eventually(SOON, &format!("the copy has {expected:?}"), || {
        let copy = lab.block_on(secrets.get(COPY))?;
        let data = copy.data.unwrap_or_default();
        let shown: Vec<(&str, &[u8])> = data
            .iter()
            .map(|(key, value)| (key.as_str(), value.0.as_slice()))
            .collect();
        let wanted = expected.iter();
        let wanted: Vec<_> = wanted
            .map(|(key, value)| (*key, value.as_bytes()))
            .collect();
        ensure!(shown == wanted, "it has {shown:?}");
        Ok(())
    })
}

fn passwords(lab: &mut Lab) -> Result<()> {
    start(lab)?;
    let reference = json!({ "passwordSecret": { "name": "router" } });
    peer(lab, "tor", &reference)?;
    let words = [
        "no Secret router in namespace seamark-system",
        "key password",
    ];
    told(lab, "bgppeer/tor", "False", "SecretMissing", &words)?;
    secret(lab, "router", &json!({ "other": "first" }))?;
    told(lab, "bgppeer/tor", "False", "SecretKeyMissing", &["add it"])?;
    secret(lab, "router", &json!({ "password": "first\n" }))?;
    told(
        lab,
        "bgppeer/tor",
        "False",
        "InvalidPassword",
        &["no line break"],
    )?;
    secret(lab, "router", &json!({ "password": "first" }))?;
    told(lab, "bgppeer/tor", "True", "Accepted", &[])?;
    copied(lab, &[("peer.tor", "first")])?;
    let named = settled_peer("tor", &json!({ "passwordKey": "peer.tor" }));
    settled(lab, "bgpPeers", &json!([named]))?;

    secret(lab, "router", &json!({ "password": "second" }))?;
    copied(lab, &[("peer.tor", "second")])?;
    let mut other = reference.clone();
    other["peerAddress"] = json!("fd99::1");
    peer(lab, "other", &other)?;
    copied(lab, &[("peer.other", "second"), ("peer.tor", "second")])?;
    lab.kubectl(&["delete", "secret", "-n", NAMESPACE, COPY])?;
    copied(lab, &[("peer.other", "second"), ("peer.tor", "second")])?;
    lab.kubectl(&["delete", "bgppeer", "other"])?;
    copied(lab, &[("peer.tor", "second")])?;

    // Missing data is never an order.
    lab.kubectl(&["delete", "secret", "-n", NAMESPACE, "router"])?;
    let words = ["there is no Secret router", "copied last stays in use"];
    told(lab, "bgppeer/tor", "True", "SecretMissing", &words)?;
    lab.restart(&Part::Controller)?;
    lab.wait_ready(&Part::Controller)?;
    copied(lab, &[("peer.tor", "second")])?;
    told(lab, "bgppeer/tor", "True", "SecretMissing", &words)?;
    peer(lab, "tor", &json!({}))?;
    told(lab, "bgppeer/tor", "True", "Accepted", &[])?;
    copied(lab, &[])?;
    for part in lab.parts() {
        let log = std::fs::read_to_string(lab.process(&part)?.log())?;
        for word in ["first", "second", "Zmlyc3Q", "c2Vjb25k"] {
            let line = log.lines().find(|line| line.contains(word));
            // A field of a log line may well be called so; a value must not.
            let value = line.filter(|line| line.contains(&format!("\"{word}")));
            ensure!(value.is_none(), "{part:?} logs {value:?}");
        }
    }
    Ok(())
}

fn speakers_read_one_secret(lab: &mut Lab) -> Result<()> {
    secret(lab, "router", &json!({ "password": "first" }))?;
    lab.start_controller(&[])?;
    peer(
        lab,
        "tor",
        &json!({ "passwordSecret": { "name": "router" } }),
    )?;
    copied(lab, &[("peer.tor", "first")])?;
    let kubeconfig = lab.kubeconfig_of(&Part::speaker("n1"))?;
    let ask = |arguments: &[&str]| {
        let own = ["--kubeconfig", &kubeconfig, "-n", NAMESPACE];
        lab.kubectl(&[&own[..], arguments].concat())
    };
    let by_name = [
        "get",
        "secrets",
        "--field-selector",
        "metadata.name=seamark-speaker",
    ];
    let shown = ask(&by_name)?;
    ensure!(shown.contains(COPY), "it sees {shown:?}");
    for refused in [
        &["get", "secret", "router"][..],
        &["get", "secrets"],
        &["get", "secrets", "--field-selector", "metadata.name=router"],
        &["delete", "secret", COPY],
        &["patch", "secret", COPY, "-p", "{\"data\":{\"a\":\"Yg==\"}}"],
        &["create", "secret", "generic", "more"],
    ] {
        let answer = ask(refused).err();
        let answer = answer.with_context(|| format!("{refused:?} was allowed"))?;
        ensure!(format!("{answer:#}").contains("forbidden"), "{answer:#}");
    }
    Ok(())
}
