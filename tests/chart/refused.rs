//! Values that are refused, each by its name.

use anyhow::{Result, ensure};

use crate::rendered::render;

const WRONG: [(&str, &str, &str); 14] = [
    ("replicas=2", "at ''", "replicas"),
    ("controller.replica=2", "at '/controller'", "replica"),
    (
        "controller.replicas=-1",
        "at '/controller/replicas'",
        "minimum",
    ),
    (
        "controller.replicas=many",
        "at '/controller/replicas'",
        "integer",
    ),
    (
        "image.pullPolicy=Sometimes",
        "at '/image/pullPolicy'",
        "Always",
    ),
    (
        "image.speaker.digest=latest",
        "at '/image/speaker/digest'",
        "pattern",
    ),
    (
        "quickstart.addresses={router}",
        "at '/quickstart/addresses/0'",
        "pattern",
    ),
    (
        "quickstart.addresses=192.0.2.1",
        "at '/quickstart/addresses'",
        "array",
    ),
    (
        "quickstart.peers[0].peerAddress=192.0.2.1",
        "at '/quickstart/peers/0'",
        "peerASN",
    ),
    (
        "quickstart.peers[0].password=x",
        "at '/quickstart/peers/0'",
        "password",
    ),
    ("speaker.bgpPort=0", "at '/speaker/bgpPort'", "minimum"),
    (
        "speaker.extraArgs={debug}",
        "at '/speaker/extraArgs/0'",
        "pattern",
    ),
    ("log.format=xml", "at '/log/format'", "json"),
    (
        "uninstall.purge=perhaps",
        "at '/uninstall/purge'",
        "boolean",
    ),
];

#[test]
fn a_value_that_is_wrong_or_not_known_is_refused_by_its_name() -> Result<()> {
    for (value, place, word) in WRONG {
        let Err(error) = render(&[value]) else {
            anyhow::bail!("{value} is taken");
        };
        let said = error.to_string();
        ensure!(
            said.contains(place) && said.contains(word),
            "{value}: {said}"
        );
    }
    Ok(())
}
