//! The first configuration, from the command line: for a first look, and for charts, which cannot
//! create objects of kinds that they create themselves.
//!
//! What is there is never touched: an object that exists under one of these names is the user's.

use std::fmt::Debug;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use crds::{BGPAdvertisement, BGPPeer, IPAddressPool, L2Advertisement};
use kube::api::PostParams;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::lease::Tenure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use thiserror::Error;
use tokio::time::sleep;
use tracing::{debug, info, warn};

/// The name of every object; of a second peer and further ones it is the beginning.
const NAME: &str = "quickstart";

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A BGP peer in one argument, by the names of the fields of a BGPPeer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    address: IpAddr,
    asn: u32,
    my_asn: u32,
}

/// Why an argument is no peer.
#[derive(Debug, Error)]
#[error("{what}: write peerAddress=192.0.2.1,peerASN=64512,myASN=64513")]
pub struct ParsePeerError {
    what: String,
}

impl FromStr for Peer {
    type Err = ParsePeerError;

    fn from_str(text: &str) -> Result<Self, ParsePeerError> {
        let (mut address, mut asn, mut my_asn) = (None, None, None);
        let wrong = |what: String| ParsePeerError { what };
        for part in text.split(',') {
            let (field, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            let unfit = || wrong(format!("{value:?} is no {field}"));
            match field.trim() {
                "peerAddress" => address = Some(value.parse().map_err(|_| unfit())?),
                "peerASN" => asn = Some(value.parse().map_err(|_| unfit())?),
                "myASN" => my_asn = Some(value.parse().map_err(|_| unfit())?),
                other => return Err(wrong(format!("{other:?} is not understood"))),
            }
        }
        let lacks = |field: &str| wrong(format!("{field} is missing"));
        Ok(Self {
            address: address.ok_or_else(|| lacks("peerAddress"))?,
            asn: asn.ok_or_else(|| lacks("peerASN"))?,
            my_asn: my_asn.ok_or_else(|| lacks("myASN"))?,
        })
    }
}

/// What is to be there.
#[derive(Debug, Clone, Default)]
pub struct Quickstart {
    /// Addresses of a pool, as in an IPAddressPool.
    pub addresses: Vec<String>,
    /// BGP peers of every node. With any, addresses are told to them; without, they are answered on
    /// the segment.
    pub peers: Vec<Peer>,
}

impl Quickstart {
    /// Whether anything is.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.peers.is_empty()
    }

    /// Creates what is not there, as soon as this replica leads, through a client that writes only
    /// then.
    pub(crate) async fn create(self, client: Client, mut tenure: Tenure) {
        loop {
            if !tenure.leads() {
                tenure.changed(false).await;
            }
            match self.create_all(&client).await {
                Ok(()) => return,
                Err(error) => {
                    let error = runtime::log::chain(&error);
                    warn!(error, "quick-start object not created yet; trying again");
                }
            }
            sleep(RETRY).await;
        }
    }

    async fn create_all(&self, client: &Client) -> Result<(), kube::Error> {
        if !self.addresses.is_empty() {
            let spec = json!({ "addresses": self.addresses });
            create::<IPAddressPool>(client, NAME, spec).await?;
        }
        if self.peers.is_empty() {
            create::<L2Advertisement>(client, NAME, json!({})).await?;
        } else {
            create::<BGPAdvertisement>(client, NAME, json!({})).await?;
        }
        for (number, peer) in (1..).zip(&self.peers) {
            let name = match number {
                1 => NAME.to_owned(),
                number => format!("{NAME}-{number}"),
            };
            let spec = json!({
                "peerAddress": peer.address,
                "peerASN": peer.asn,
                "myASN": peer.my_asn,
            });
            create::<BGPPeer>(client, &name, spec).await?;
        }
        Ok(())
    }
}

async fn create<K>(client: &Client, name: &str, spec: serde_json::Value) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let kind = K::kind(&());
    let object = json!({
        "apiVersion": K::api_version(&()),
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    });
    let object: K = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    let api: Api<K> = Api::all(client.clone());
    match api.create(&PostParams::default(), &object).await {
        Ok(created) => {
            info!(kind = %kind, name = created.name_any(), "quick-start object created");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            debug!(kind = %kind, name, "quick-start object is there");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_read_by_the_names_of_its_fields_in_any_order() {
        let peer: Peer = "myASN=64513, peerAddress=2001:db8::1,peerASN=4200000000"
            .parse()
            .unwrap();
        let expected = Peer {
            address: "2001:db8::1".parse().unwrap(),
            asn: 4_200_000_000,
            my_asn: 64513,
        };
        assert_eq!(peer, expected);
    }

    #[test]
    fn what_is_wrong_with_a_peer_is_said_with_an_example() {
        for (text, what) in [
            ("peerAddress=192.0.2.1,peerASN=64512", "myASN is missing"),
            (
                "peerAddress=router,peerASN=1,myASN=2",
                "\"router\" is no peerAddress",
            ),
            ("peerASN=-1", "\"-1\" is no peerASN"),
            ("192.0.2.1", "\"192.0.2.1\" is not understood"),
        ] {
            let said = text.parse::<Peer>().unwrap_err().to_string();
            assert!(said.starts_with(what), "{said}");
            assert!(said.contains("write peerAddress="), "{said}");
        }
    }
}
