//! What a route carries for which several advertisements speak.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use model::{AdvertisementName, BgpAttributes};

/// Advertisements that set one attribute of one route to different values. The highest is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// What they disagree about.
    pub attribute: Attribute,
    /// Those that set it, as far as they have to do with the route.
    pub advertisements: BTreeSet<AdvertisementName>,
}

/// The attributes that are one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// `localPref`.
    LocalPref,
    /// `med`.
    Med,
    /// `asPathPrepend`.
    AsPathPrepend,
}

impl Attribute {
    const ALL: [Self; 3] = [Self::LocalPref, Self::Med, Self::AsPathPrepend];

    /// The field of the BGPAdvertisement.
    pub fn field(self) -> &'static str {
        match self {
            Self::LocalPref => "localPref",
            Self::Med => "med",
            Self::AsPathPrepend => "asPathPrepend",
        }
    }

    /// The value, if one is set. Not to prepend is to set nothing.
    fn of(self, attributes: &BgpAttributes) -> Option<u32> {
        match self {
            Self::LocalPref => attributes.local_pref,
            Self::Med => attributes.med,
            Self::AsPathPrepend => {
                let times = Some(u32::from(attributes.as_path_prepend));
                times.filter(|times| *times > 0)
            }
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.advertisements.iter().map(AdvertisementName::as_str);
        let names = names.collect::<Vec<_>>().join(", ");
        write!(
            f,
            "BGPAdvertisements {names} set different {} for the same route; the highest is told",
            self.attribute.field()
        )
    }
}

/// Both together: communities unite, and of each number the highest that is set counts. The order
/// does not matter, nor how often one is counted in.
pub(crate) fn join(one: &Arc<BgpAttributes>, other: &Arc<BgpAttributes>) -> Arc<BgpAttributes> {
    if Arc::ptr_eq(one, other) || one == other {
        return Arc::clone(one);
    }
    Arc::new(BgpAttributes {
        local_pref: one.local_pref.max(other.local_pref),
        med: one.med.max(other.med),
        as_path_prepend: one.as_path_prepend.max(other.as_path_prepend),
        communities: one.communities.union(&other.communities).copied().collect(),
    })
}

/// What those who speak for one route disagree about.
pub(crate) fn conflicts<'a>(
    speaking: impl Iterator<Item = (&'a AdvertisementName, &'a BgpAttributes)> + Clone,
) -> impl Iterator<Item = Conflict> {
    Attribute::ALL.into_iter().filter_map(move |attribute| {
        let set = speaking
            .clone()
            .filter_map(|(name, attributes)| Some((name, attribute.of(attributes)?)));
        let values: BTreeSet<u32> = set.clone().map(|(_, value)| value).collect();
        (values.len() > 1).then(|| Conflict {
            attribute,
            advertisements: set.map(|(name, _)| name.clone()).collect(),
        })
    })
}

#[cfg(test)]
mod tests {
    use model::Community;
    use proptest::prelude::*;

    use super::*;

    fn any_attributes() -> impl Strategy<Value = Arc<BgpAttributes>> {
        let number = || proptest::option::of(0..3_u32);
        let communities = proptest::collection::btree_set(0..4_u32, 0..3);
        (number(), number(), 0..3_u8, communities).prop_map(
            |(local_pref, med, as_path_prepend, communities)| {
                Arc::new(BgpAttributes {
                    local_pref,
                    med,
                    as_path_prepend,
                    communities: communities.into_iter().map(Community::Standard).collect(),
                })
            },
        )
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_matters(
            one in any_attributes(),
            other in any_attributes(),
            third in any_attributes(),
        ) {
            prop_assert_eq!(join(&one, &other), join(&other, &one));
            prop_assert_eq!(join(&join(&one, &other), &third), join(&one, &join(&other, &third)));
            prop_assert_eq!(join(&join(&one, &other), &other), join(&one, &other));
        }
    }

    #[test]
    fn communities_unite_and_of_each_number_the_highest_counts() {
        let attributes = |local_pref, med, as_path_prepend, community| {
            Arc::new(BgpAttributes {
                local_pref,
                med,
                as_path_prepend,
                communities: [Community::Standard(community)].into(),
            })
        };
        let joined = join(
            &attributes(Some(100), None, 3, 1),
            &attributes(Some(200), Some(0), 1, 2),
        );
        let expected = BgpAttributes {
            local_pref: Some(200),
            med: Some(0),
            as_path_prepend: 3,
            communities: [Community::Standard(1), Community::Standard(2)].into(),
        };
        assert_eq!(*joined, expected);
    }

    #[test]
    fn only_values_that_are_set_and_differ_conflict() {
        let names = ["a", "b", "c"].map(AdvertisementName::new);
        let of = |local_pref, as_path_prepend| BgpAttributes {
            local_pref,
            as_path_prepend,
            ..BgpAttributes::default()
        };
        let attributes = [of(Some(100), 0), of(Some(200), 2), of(None, 2)];
        let found: Vec<_> = conflicts(names.iter().zip(&attributes)).collect();
        let conflict = Conflict {
            attribute: Attribute::LocalPref,
            advertisements: ["a", "b"].map(AdvertisementName::new).into(),
        };
        assert_eq!(
            conflict.to_string(),
            "BGPAdvertisements a, b set different localPref for the same route; the highest is told"
        );
        assert_eq!(found, [conflict]);
    }
}
