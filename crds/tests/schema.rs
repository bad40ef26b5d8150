//! The committed definitions are those of the types, and no rule in them goes untested: each has
//! an object in `reject/` that breaks it, whose first line says which words the API server answers
//! with. The lab sends them to a real one; here they are held against `parse`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the functions beside the tests are tests too"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crds::{Last, Objects, Severity};
use serde::de::DeserializeOwned;
use serde_json::Value;

const EXPECT: &str = "# expect: ";

/// The kinds that users write.
const CONFIGURATION: [&str; 6] = [
    "IPAddressPool",
    "L2Advertisement",
    "BGPAdvertisement",
    "BGPPeer",
    "BFDProfile",
    "Community",
];

/// The community that fixtures use by name.
const NAMED: &str = "\
apiVersion: seamark.io/v1beta1
kind: Community
metadata: {name: named}
spec: {communities: [{name: inside, value: '64512:7'}]}
";

/// The profile that fixtures use by name.
const PROFILE: &str = "\
apiVersion: seamark.io/v1beta1
kind: BFDProfile
metadata: {name: fast}
spec: {}
";

/// A file below the crate, with its text.
struct Fixture {
    name: String,
    text: String,
}

impl Fixture {
    fn all(folder: &str) -> Vec<Self> {
        let folder = root().join(folder);
        let mut fixtures: Vec<Self> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| Self {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                text: fs::read_to_string(path).unwrap(),
            })
            .collect();
        fixtures.sort_by(|a, b| a.name.cmp(&b.name));
        fixtures
    }

    fn object(&self) -> Value {
        serde_saphyr::from_str(&self.text).unwrap()
    }

    fn kind(&self) -> String {
        self.object()["kind"].as_str().unwrap().to_owned()
    }

    fn expected(&self) -> &str {
        let first = self.text.lines().next().unwrap();
        first
            .strip_prefix(EXPECT)
            .unwrap_or_else(|| panic!("{} starts without {EXPECT}", self.name))
    }

    /// Whether `parse` keeps the object out, by its types or by name.
    fn is_refused_by_parse(&self) -> bool {
        let parsed = match self.kind().as_str() {
            "IPAddressPool" => self.parse(|object, all| all.pools.push(object)),
            "L2Advertisement" => self.parse(|object, all| all.l2_advertisements.push(object)),
            "BGPAdvertisement" => self.parse(|object, all| all.bgp_advertisements.push(object)),
            "BGPPeer" => self.parse(|object, all| all.bgp_peers.push(object)),
            "BFDProfile" => self.parse(|object, all| all.bfd_profiles.push(object)),
            "Community" => self.parse(|object, all| all.communities.push(object)),
            kind => panic!("{kind} is not parsed"),
        };
        parsed.is_none_or(|problems| problems.contains(&Severity::Rejected))
    }

    /// What `parse` finds wrong with the object alone, given one of every name that it uses; `None`
    /// if its types do not take it.
    fn parse<K: DeserializeOwned>(
        &self,
        put: impl for<'a> FnOnce(&'a K, &mut Objects<'a>),
    ) -> Option<Vec<Severity>> {
        let object: K = serde_json::from_value(self.object()).ok()?;
        let named: crds::Community = serde_saphyr::from_str(NAMED).unwrap();
        let fast: crds::BFDProfile = serde_saphyr::from_str(PROFILE).unwrap();
        let mut objects = Objects {
            communities: vec![&named],
            bfd_profiles: vec![&fast],
            ..Objects::default()
        };
        put(&object, &mut objects);
        let parsed = crds::parse(&objects, &Last::default());
        Some(parsed.problems.iter().map(|p| p.severity()).collect())
    }

    fn is_configuration(&self) -> bool {
        CONFIGURATION.contains(&self.kind().as_str())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The kind and message of every rule in the definitions.
fn rules() -> BTreeSet<(String, String)> {
    let mut rules = BTreeSet::new();
    for manifest in crds::manifests().unwrap() {
        let definition: Value = serde_saphyr::from_str(&manifest.text).unwrap();
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let mut messages = BTreeSet::new();
        collect_messages(&definition, &mut messages);
        rules.extend(
            messages
                .into_iter()
                .map(|message| (kind.to_owned(), message)),
        );
    }
    rules
}

fn collect_messages(value: &Value, messages: &mut BTreeSet<String>) {
    if let Some(rules) = value
        .get("x-kubernetes-validations")
        .and_then(Value::as_array)
    {
        for rule in rules {
            let message = rule["message"].as_str();
            let message = message.unwrap_or_else(|| panic!("{} has no message", rule["rule"]));
            messages.insert(message.to_owned());
        }
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|v| collect_messages(v, messages)),
        Value::Array(items) => items.iter().for_each(|v| collect_messages(v, messages)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_committed_definitions_are_those_of_the_types() {
    let committed: Vec<(String, String)> = Fixture::all("manifests")
        .into_iter()
        .map(|file| (file.name, file.text))
        .collect();
    let mut rendered: Vec<(String, String)> = crds::manifests()
        .unwrap()
        .into_iter()
        .map(|m| (m.file_name, m.text))
        .collect();
    rendered.sort();
    assert!(
        committed == rendered,
        "crds/manifests is stale; run make gen"
    );
}

#[test]
fn every_rule_is_broken_by_an_object_of_its_kind() {
    let rejected = Fixture::all("tests/reject");
    for (kind, message) in rules() {
        let broken = rejected
            .iter()
            .any(|f| f.kind() == kind && message.contains(f.expected()));
        assert!(
            broken,
            "nothing in tests/reject breaks this rule of {kind}: {message}"
        );
    }
}

#[test]
fn what_an_object_expects_points_to_one_rule_at_most() {
    let rules = rules();
    for fixture in Fixture::all("tests/reject") {
        let (kind, expected) = (fixture.kind(), fixture.expected());
        let meant = rules
            .iter()
            .filter(|(k, message)| *k == kind && message.contains(expected));
        assert!(
            expected.len() > 10 && meant.count() <= 1,
            "{}: too vague",
            fixture.name
        );
    }
}

#[test]
fn parse_refuses_what_the_api_server_refuses() {
    // A repeated word changes nothing, so only the schema minds; repeated addresses overlap.
    let harmless = [
        "ipaddresspool-namespaces-duplicate.yaml",
        "l2advertisement-pools-duplicate.yaml",
        "bgpadvertisement-communities-duplicate.yaml",
        "bgpadvertisement-peers-duplicate.yaml",
        "bgppeer-address-families-duplicate.yaml",
        "community-names-duplicate.yaml",
    ];
    for fixture in Fixture::all("tests/reject") {
        if fixture.is_configuration() {
            let expected = !harmless.contains(&fixture.name.as_str());
            assert_eq!(fixture.is_refused_by_parse(), expected, "{}", fixture.name);
        }
    }
}

#[test]
fn parse_takes_what_the_api_server_takes() {
    for fixture in Fixture::all("tests/accept") {
        if fixture.is_configuration() {
            assert!(!fixture.is_refused_by_parse(), "{}", fixture.name);
        }
    }
}

#[test]
fn every_field_of_ours_is_explained() {
    for manifest in crds::manifests().unwrap() {
        let definition: Value = serde_saphyr::from_str(&manifest.text).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        assert_explained(schema, &manifest.file_name);
    }
}

fn assert_explained(schema: &Value, path: &str) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}: {name}");
        assert!(
            field["description"].is_string(),
            "{path} has no description"
        );
        assert_explained(field, &path);
        assert_explained(&field["items"], &path);
    }
}
