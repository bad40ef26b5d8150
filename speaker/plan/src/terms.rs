//! On what terms addresses are told to BGP peers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{AdvertisementName, BgpAdvertisement, BgpAttributes, BgpPeer, IpFamily, PeerName};

use crate::merge::join;
use crate::route::bits;

/// What a combination of advertisements comes to for addresses of one family: who is told which
/// prefix around an address, and with what. Every peer is in one offer of a length at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Terms {
    /// The family of the addresses.
    pub family: IpFamily,
    /// What is told, in the order of lengths and advertisements.
    pub offers: Vec<Offer>,
}

/// One prefix around an address, and what peers are told of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// The prefix's length, which is never longer than the address.
    pub length: u8,
    /// By whom the prefix is told, sorted.
    pub advertisements: Arc<[AdvertisementName]>,
    /// What they make of it together.
    pub attributes: Arc<BgpAttributes>,
    /// Whether one of them wants the prefix told although a Service under it is
    /// externalTrafficPolicy Local.
    pub aggregate_anyway: bool,
    /// Who is told, sorted.
    pub peers: Arc<[PeerName]>,
}

impl Terms {
    /// What these advertisements come to for these peers, which exchange the family.
    pub(crate) fn new(
        family: IpFamily,
        advertisements: &[&BgpAdvertisement],
        peers: &[&BgpPeer],
    ) -> Self {
        let mut told: BTreeMap<(u8, BTreeSet<&AdvertisementName>), Vec<&PeerName>> =
            BTreeMap::new();
        for peer in peers.iter().filter(|peer| peer.exchanges(family)) {
            for (length, names) in lengths(family, advertisements, &peer.name) {
                told.entry((length, names)).or_default().push(&peer.name);
            }
        }
        let offers = told.into_iter().filter_map(|((length, names), peers)| {
            let speaking = || advertisements.iter().filter(|a| names.contains(&a.name));
            let attributes = speaking().map(|a| Arc::clone(&a.attributes));
            Some(Offer {
                length,
                attributes: attributes.reduce(|one, other| join(&one, &other))?,
                aggregate_anyway: speaking().any(|a| a.aggregate_anyway),
                advertisements: names.into_iter().cloned().collect(),
                peers: peers.into_iter().cloned().collect(),
            })
        });
        Self {
            family,
            offers: offers.collect(),
        }
    }

    /// Every peer that is told anything.
    pub fn peers(&self) -> BTreeSet<&PeerName> {
        let offers = self.offers.iter();
        offers.flat_map(|offer| offer.peers.iter()).collect()
    }

    /// Whether any prefix that they tell is more than the address.
    pub(crate) fn aggregate(&self) -> bool {
        let mut offers = self.offers.iter();
        offers.any(|offer| offer.is_aggregate(self.family))
    }

    /// The same terms for those of the peers that are still told; nothing if none is.
    pub(crate) fn among(self: &Arc<Self>, told: impl Fn(&PeerName) -> bool) -> Option<Arc<Self>> {
        if self.peers().into_iter().all(&told) {
            return Some(Arc::clone(self));
        }
        let offers = self.offers.iter().filter_map(|offer| {
            let peers = offer.peers.iter().filter(|peer| told(peer));
            let peers: Arc<[PeerName]> = peers.cloned().collect();
            let offer = Offer {
                peers,
                ..offer.clone()
            };
            (!offer.peers.is_empty()).then_some(offer)
        });
        let offers: Vec<_> = offers.collect();
        let family = self.family;
        (!offers.is_empty()).then(|| Arc::new(Self { family, offers }))
    }
}

impl Offer {
    /// Whether the prefix is more than the address.
    pub fn is_aggregate(&self, family: IpFamily) -> bool {
        self.length < bits(family)
    }
}

/// The advertisements that speak to a peer, by the length of what they tell.
fn lengths<'a>(
    family: IpFamily,
    advertisements: &[&'a BgpAdvertisement],
    peer: &PeerName,
) -> BTreeMap<u8, BTreeSet<&'a AdvertisementName>> {
    let mut lengths: BTreeMap<u8, BTreeSet<&AdvertisementName>> = BTreeMap::new();
    for advertisement in advertisements.iter().filter(|a| a.admits_peer(peer)) {
        let length = advertisement.aggregation_length(family).min(bits(family));
        let names = lengths.entry(length).or_default();
        names.insert(&advertisement.name);
    }
    lengths
}
