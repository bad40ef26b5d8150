//! Pieces of schema that the kinds share: bounds, list types and CEL rules on the items of lists.
//!
//! Every list and string that a rule looks at is bounded, because the API server multiplies the
//! cost of a rule by the largest size its subject can have and refuses a definition above its
//! budget. Nothing here is needed for safety: [`crate::parse`] checks all of it again.

pub(crate) mod bgp;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Most selectors in one list.
pub(crate) const MAX_SELECTORS: usize = 32;

/// Two ends of 45 characters, the longest spelling of an IPv6 address, and `-` with spaces.
const MAX_ADDRESS_TEXT: usize = 96;

/// A list of address texts, of which there must be one at least.
pub(crate) fn addresses(_: &mut SchemaGenerator) -> Schema {
    address_texts(1)
}

/// A list of address texts that may be empty.
pub(crate) fn exclude(_: &mut SchemaGenerator) -> Schema {
    address_texts(0)
}

fn address_texts(min_items: usize) -> Schema {
    // A loop over the parts would be costed as if every character were a part.
    let first = "self.split('-')[0].trim()";
    let last = "self.split('-')[1].trim()";
    let range = format!("self.split('-').size() == 2 && isIP({first}) && isIP({last})");
    let form =
        format!("self.contains('-') ? {range} : self.contains('/') ? isCIDR(self) : isIP(self)");
    let family = format!("!({range}) || ip({first}).family() == ip({last}).family()");
    let unicast = format!(
        "isIP(self) ? ip(self).isGlobalUnicast() \
         : isCIDR(self) ? cidr(self).ip().isGlobalUnicast() \
         : !({range}) || (ip({first}).isGlobalUnicast() && ip({last}).isGlobalUnicast())"
    );
    let rules = json!([
        {
            "rule": form,
            "message": "must be a CIDR (10.0.0.0/24), a range (10.0.0.1-10.0.0.9) or one address, \
                        without leading zeros",
        },
        {
            "rule": "!isCIDR(self) || cidr(self).masked() == cidr(self)",
            "message": "has host bits set; write the first address of the network before the \
                        slash, as in 10.0.0.0/24",
        },
        {
            "rule": family,
            "message": "both ends of a range must be of one family, IPv4 or IPv6",
        },
        {
            "rule": unicast,
            "message": "must be unicast: no unspecified, loopback, link-local or multicast address \
                        can be a Service's",
        },
    ]);
    json_schema!({
        "type": "array",
        "minItems": min_items,
        "maxItems": 512,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_ADDRESS_TEXT,
            "x-kubernetes-validations": rules,
        },
    })
}

/// A list of names of cluster-scoped objects, without repetition.
pub(crate) fn object_names(_: &mut SchemaGenerator) -> Schema {
    names(253, 512)
}

/// A list of names of namespaces, without repetition.
pub(crate) fn namespaces(_: &mut SchemaGenerator) -> Schema {
    names(63, 512)
}

fn names(max_length: usize, max_items: usize) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": max_items,
        "x-kubernetes-list-type": "set",
        "items": { "type": "string", "minLength": 1, "maxLength": max_length },
    })
}

/// A list of interface names or globs.
pub(crate) fn interfaces(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 15,
            "x-kubernetes-validations": [{
                "rule": r"!self.matches('[/\\s]')",
                "message": "must be the name of an interface or a glob (eth0, eth*), which has no \
                            slash and no space",
            }],
        },
    })
}

/// `matchLabels` of a label selector.
pub(crate) fn match_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}

/// Both rules of one line of `matchExpressions`.
pub(crate) fn requirement_rules() -> Value {
    json!([
        {
            "rule": "!(self.operator in ['In', 'NotIn']) || \
                     (has(self.values) && self.values.size() > 0)",
            "message": "operators In and NotIn need at least one value",
        },
        {
            "rule": "self.operator in ['In', 'NotIn'] || \
                     !has(self.values) || self.values.size() == 0",
            "message": "operators Exists and DoesNotExist take no values; remove them",
        },
    ])
}

/// Drops the CEL rules of a schema: what the controller writes was checked where it was read, and
/// in a list without bounds their cost would have none.
pub(crate) fn without_rules(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        object.values_mut().for_each(drop_rules);
    }
}

fn drop_rules(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.remove("x-kubernetes-validations");
        object.values_mut().for_each(drop_rules);
    }
}
