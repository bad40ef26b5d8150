//! The same for what is only of BGP.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Most communities in one advertisement.
const MAX_COMMUNITIES: usize = 64;

/// Most names in one Community.
pub(crate) const MAX_NAMED_COMMUNITIES: usize = 256;

/// The longest IPv6 address has 45 characters.
const MAX_ADDRESS: usize = 45;

/// The same, a slash and three digits.
const MAX_CIDR: usize = MAX_ADDRESS + 4;

/// A longer text is no duration that BGP knows.
const MAX_TIME: usize = 16;

/// Names of IANA's registry that `model::Community` reads.
const WELL_KNOWN: [&str; 9] = [
    "graceful-shutdown",
    "accept-own",
    "llgr-stale",
    "no-llgr",
    "blackhole",
    "no-export",
    "no-advertise",
    "no-export-subconfed",
    "no-peer",
];

/// What a text must look like to be a duration. An empty or unreadable one would end the
/// evaluation of the other rules.
const IS_TIME: &str = "self.matches('^([0-9]{1,6}[hms])+$')";

const IS_STANDARD: &str = "self.matches('^[0-9]{1,5}:[0-9]{1,5}$')";
const IS_LARGE: &str = "self.matches('^large:[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$')";
const IS_EXTENDED: &str = "self.matches('^((rt|ro):[0-9.]{1,15}:[0-9]{1,10}|\
                           extended:[0-9a-fA-F]{16})$')";
const IS_NAME: &str = "self.matches('^[^: ]+$')";

/// The peer's address.
pub(crate) fn peer_address(_: &mut SchemaGenerator) -> Schema {
    address("peerAddress")
}

/// Our address.
pub(crate) fn source_address(_: &mut SchemaGenerator) -> Schema {
    address("sourceAddress")
}

/// Name of the one interface on whose link the peer is.
pub(crate) fn interface(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 15,
        "x-kubernetes-validations": [{
            "rule": r"!self.matches('[/\\s*?\\[]')",
            "message": "interface must be the name of one interface (eth1), which has no slash and \
                        no space, and is no glob",
        }],
    })
}

/// The network from which peers connect.
pub(crate) fn listen_range(_: &mut SchemaGenerator) -> Schema {
    let unicast = "!isCIDR(self) || cidr(self).ip().isGlobalUnicast() || \
                   (cidr(self).ip().family() == 4 && cidr(self).ip().isLinkLocalUnicast())";
    json_schema!({
        "type": "string",
        "maxLength": MAX_CIDR,
        "x-kubernetes-validations": [
            {
                "rule": "isCIDR(self)",
                "message": "listenRange must be a network, as in 192.0.2.0/24 or 2001:db8::/64",
            },
            {
                "rule": "!isCIDR(self) || cidr(self).masked() == cidr(self)",
                "message": "listenRange has host bits set; write the first address of the network \
                            before the slash",
            },
            {
                "rule": unicast,
                "message": "listenRange must hold unicast addresses, and no link-local IPv6 ones; \
                            write the networks that routers are in",
            },
        ],
    })
}

/// Name of a BFDProfile.
pub(crate) fn bfd_profile(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 253 })
}

fn address(field: &str) -> Schema {
    // 169.254.0.0/16 is in use between routers, and needs no zone.
    let unicast = "!isIP(self) || ip(self).isGlobalUnicast() || ip(self).isLoopback() || \
                   (ip(self).family() == 4 && ip(self).isLinkLocalUnicast())";
    json_schema!({
        "type": "string",
        "maxLength": MAX_ADDRESS,
        "x-kubernetes-validations": [
            {
                "rule": "isIP(self)",
                "message": format!("{field} must be an IPv4 or IPv6 address"),
            },
            {
                "rule": unicast,
                "message": format!("{field} must be unicast, and an IPv6 address not link-local"),
            },
        ],
    })
}

/// A BGP identifier.
pub(crate) fn router_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 15,
        "x-kubernetes-validations": [{
            "rule": "isIP(self) && ip(self).family() == 4 && self != '0.0.0.0'",
            "message": "routerID must be written like an IPv4 address, and not be 0.0.0.0",
        }],
    })
}

/// The hold time that is proposed.
pub(crate) fn hold_time(_: &mut SchemaGenerator) -> Schema {
    let range = "duration(self) == duration('0s') || \
                 (duration(self) >= duration('3s') && duration(self) <= duration('65535s'))";
    time("holdTime", range, "0s, or from 3s to 65535s")
}

/// The time between two KEEPALIVEs.
pub(crate) fn keepalive_time(_: &mut SchemaGenerator) -> Schema {
    let range = "duration(self) <= duration('21845s')";
    time("keepaliveTime", range, "from 1s to 21845s")
}

/// The time between two attempts to connect.
pub(crate) fn connect_time(_: &mut SchemaGenerator) -> Schema {
    let range = "duration(self) >= duration('1s') && duration(self) <= duration('65535s')";
    time("connectTime", range, "from 1s to 65535s")
}

/// How long a peer keeps our routes.
pub(crate) fn restart_time(_: &mut SchemaGenerator) -> Schema {
    let range = "duration(self) >= duration('1s') && duration(self) <= duration('4095s')";
    time("restartTime", range, "from 1s to 4095s")
}

/// How long BFD is made to bear a restart.
pub(crate) fn bfd_budget(_: &mut SchemaGenerator) -> Schema {
    let range = "duration(self) <= duration('300s')";
    time("bfdBudget", range, "from 0s to 300s")
}

/// How long a peer gets to find other ways.
pub(crate) fn wait(_: &mut SchemaGenerator) -> Schema {
    let range = "duration(self) <= duration('60s')";
    time("wait", range, "from 0s to 60s")
}

fn time(field: &str, range: &str, words: &str) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_TIME,
        "x-kubernetes-validations": [
            {
                "rule": IS_TIME,
                "message": format!("{field} must be a duration in whole seconds, as in 90s or 1m30s"),
            },
            {
                "rule": format!("!{IS_TIME} || {range}"),
                "message": format!("{field} must be {words}"),
            },
        ],
    })
}

/// A key of a Secret.
pub(crate) fn secret_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
        "default": "password",
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[-._a-zA-Z0-9]+$')",
            "message": "a key of a Secret has letters, digits, '-', '_' and '.' only",
        }],
    })
}

/// Families of addresses, without repetition.
pub(crate) fn address_families(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 2,
        "x-kubernetes-list-type": "set",
        "items": { "type": "string", "enum": ["IPv4", "IPv6"] },
    })
}

/// Name of a VRF interface.
pub(crate) fn vrf(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 15,
        "x-kubernetes-validations": [{
            "rule": r"!self.matches('[/\\s]')",
            "message": "vrf must be the name of an interface, which has no slash and no space",
        }],
    })
}

/// What the fields of a peer must agree on.
pub(crate) fn peer_rules() -> Value {
    let internal = "((has(self.peerASN) && self.peerASN == self.myASN) || \
                    (has(self.dynamicASN) && self.dynamicASN == 'internal'))";
    let time = |field: &str| IS_TIME.replace("self", field);
    let (keepalive, hold) = (time("self.keepaliveTime"), time("self.holdTime"));
    let both = format!("has(self.keepaliveTime) && has(self.holdTime) && {keepalive} && {hold}");
    let mut rules = remote_rules();
    rules.extend([
        json!({
            "rule": "has(self.peerASN) != has(self.dynamicASN)",
            "message": "write either peerASN or dynamicASN",
        }),
        json!({
            "rule": format!(
                "!({both}) || duration(self.keepaliveTime) <= duration(self.holdTime)"
            ),
            "message": "keepaliveTime must not be longer than holdTime",
        }),
        json!({
            "rule": format!(
                "!({both}) || duration(self.keepaliveTime) > duration('0s') || \
                 duration(self.holdTime) == duration('0s')"
            ),
            "message": "keepaliveTime 0s goes only with holdTime 0s",
        }),
        json!({
            "rule": format!("!self.ebgpMultiHop || !{internal}"),
            "message": "ebgpMultiHop is for external peers; an internal peer may be any number of \
                        hops away",
        }),
        json!({
            "rule": "!self.ttlSecurity || !self.ebgpMultiHop",
            "message": "ttlSecurity accepts only what crossed no router; remove it or ebgpMultiHop",
        }),
        json!({
            "rule": format!("!has(self.role) || !{internal}"),
            "message": "role is for external peers; remove it",
        }),
        json!({
            "rule": "!self.bfdStrict || has(self.bfdProfile)",
            "message": "bfdStrict waits for BFD, which needs a bfdProfile; write one, or remove \
                        bfdStrict",
        }),
    ]);
    Value::Array(rules)
}

/// Where a peer is, and what does not go with that.
fn remote_rules() -> Vec<Value> {
    let source = "!has(self.sourceAddress) || !isIP(self.sourceAddress)";
    vec![
        json!({
            "rule": "[has(self.peerAddress), has(self.interface), has(self.listenRange)]\
                     .exists_one(written, written)",
            "message": "write exactly one of peerAddress, interface and listenRange",
        }),
        json!({
            "rule": format!(
                "{source} || !has(self.peerAddress) || !isIP(self.peerAddress) || \
                 ip(self.sourceAddress).family() == ip(self.peerAddress).family()"
            ),
            "message": "sourceAddress and peerAddress must be of one family, IPv4 or IPv6",
        }),
        json!({
            "rule": format!(
                "{source} || !has(self.listenRange) || !isCIDR(self.listenRange) || \
                 ip(self.sourceAddress).family() == cidr(self.listenRange).ip().family()"
            ),
            "message": "sourceAddress and listenRange must be of one family, IPv4 or IPv6",
        }),
        json!({
            "rule": "!has(self.interface) || !has(self.sourceAddress)",
            "message": "a peer on an interface is spoken to from its link-local address; remove \
                        sourceAddress",
        }),
        json!({
            "rule": "!has(self.interface) || !self.ebgpMultiHop",
            "message": "a peer on an interface is one hop away; remove ebgpMultiHop",
        }),
        json!({
            "rule": "!has(self.interface) || !has(self.vrf)",
            "message": "a peer on an interface is in the VRF of that interface; remove vrf",
        }),
        json!({
            "rule": "!has(self.listenRange) || self.peerPort == 179",
            "message": "peers in listenRange connect to us; remove peerPort",
        }),
    ]
}

/// What is not there yet of BFD.
pub(crate) fn profile_rules() -> Value {
    json!([
        {
            "rule": "!self.echoMode",
            "message": "BFD's echo mode is not built yet; remove echoMode, and set receiveInterval \
                        and transmitInterval as short as the path needs",
        },
        {
            "rule": "!has(self.echoInterval)",
            "message": "BFD's echo mode is not built yet; remove echoInterval",
        },
    ])
}

/// Communities, in numbers or by name.
pub(crate) fn communities(_: &mut SchemaGenerator) -> Schema {
    let form = format!("{IS_STANDARD} || {IS_LARGE} || {IS_EXTENDED} || {IS_NAME}");
    json_schema!({
        "type": "array",
        "maxItems": MAX_COMMUNITIES,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "x-kubernetes-validations": community_rules(
                &form,
                "must be a community (64512:1, large:64512:1:2, rt:64512:1) or a name",
            ),
        },
    })
}

/// What a name stands for.
pub(crate) fn community_value(_: &mut SchemaGenerator) -> Schema {
    let form = format!(
        "{IS_STANDARD} || {IS_LARGE} || {IS_EXTENDED} || {}",
        is_well_known()
    );
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "x-kubernetes-validations": community_rules(
            &form,
            "must be a community (64512:1, large:64512:1:2, rt:64512:1) or a well-known name \
             (no-export)",
        ),
    })
}

fn community_rules(form: &str, message: &str) -> Value {
    let part = |index: u8, limit: u32| format!("int(self.split(':')[{index}]) <= {limit}");
    let standard = [part(0, 65_535), part(1, 65_535)].join(" && ");
    let large = [1, 2, 3].map(|index| part(index, u32::MAX)).join(" && ");
    json!([
        { "rule": form, "message": message },
        {
            "rule": format!("!{IS_STANDARD} || ({standard})"),
            "message": "each number of a standard community is at most 65535; write a large one \
                        (large:64512:1:2) for larger numbers",
        },
        {
            "rule": format!("!{IS_LARGE} || ({large})"),
            "message": "each number of a large community is at most 4294967295",
        },
    ])
}

/// A name for a community.
pub(crate) fn community_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "x-kubernetes-validations": [
            {
                "rule": IS_NAME,
                "message": "a name for a community has no colon and no space",
            },
            {
                "rule": format!("!({})", is_well_known()),
                "message": "a well-known community has this name; choose another",
            },
        ],
    })
}

fn is_well_known() -> String {
    let names: Vec<String> = WELL_KNOWN.iter().map(|name| format!("'{name}'")).collect();
    let names = names.join(", ");
    format!("self.lowerAscii().replace('_', '-') in [{names}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_well_known_name_is_a_community() {
        for name in WELL_KNOWN {
            assert!(name.parse::<model::Community>().is_ok(), "{name}");
        }
    }
}
