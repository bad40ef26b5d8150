//! Which advertisements speak for an address, of either kind.

use std::borrow::Cow;

use model::{BgpAdvertisement, L2Advertisement, Labels, PoolName, SpeakerConfig};

use crate::Withheld;

/// What both kinds of advertisements have in common.
pub(crate) trait Advertisement: Sized + 'static {
    fn all(config: &SpeakerConfig) -> &[Self];
    fn requires(&self) -> &[String];
    fn is_selective(&self) -> bool;
    fn admits_pool(&self, pool: &PoolName, labels: &Labels) -> bool;
    fn admits_service(&self, labels: &Labels) -> bool;
}

/// What the configuration says of an address.
pub(crate) enum Admission<T> {
    /// Advertisements speak for it.
    Admitted(T),
    /// Not enough is known to say.
    Unknown(Withheld),
    /// None speaks for it.
    Refused(Withheld),
}

/// The advertisements of a kind that speak for a pool.
pub(crate) struct Speaking<'a, A> {
    known: Vec<(usize, &'a A)>,
    /// The indices of all that are known.
    all: Vec<usize>,
    /// Whether any of them speaks for some Services only.
    selective: bool,
    /// Those that ask for what is not known here, and what that is.
    unknown: Vec<(&'a A, &'a str)>,
}

impl<'a, A: Advertisement> Speaking<'a, A> {
    pub(crate) fn new(config: &'a SpeakerConfig, pool: &PoolName) -> Self {
        let unlabelled = Labels::new();
        let labels = config.pools.get(pool).map_or(&unlabelled, |p| &p.labels);
        let (mut known, mut unknown): (Vec<(usize, &A)>, Vec<_>) = (Vec::new(), Vec::new());
        let advertisements = A::all(config).iter().enumerate();
        for (index, advertisement) in advertisements.filter(|(_, a)| a.admits_pool(pool, labels)) {
            // No feature is known yet.
            match advertisement.requires().iter().min() {
                Some(feature) => unknown.push((advertisement, feature.as_str())),
                None => known.push((index, advertisement)),
            }
        }
        Self {
            all: known.iter().map(|&(index, _)| index).collect(),
            selective: known
                .iter()
                .any(|(_, advertisement)| advertisement.is_selective()),
            known,
            unknown,
        }
    }

    /// Those that speak for a Service with these labels, by their indices in the configuration.
    pub(crate) fn combination(&self, service: &Labels) -> Cow<'_, [usize]> {
        if !self.selective {
            return Cow::Borrowed(&self.all);
        }
        let known = self.known.iter();
        let known = known.filter(|(_, advertisement)| advertisement.admits_service(service));
        Cow::Owned(known.map(|&(index, _)| index).collect())
    }

    /// The advertisements of a combination.
    pub(crate) fn of(&self, combination: &[usize]) -> Vec<&'a A> {
        let known = self.known.iter();
        let known = known.filter(|(index, _)| combination.contains(index));
        known.map(|&(_, advertisement)| advertisement).collect()
    }

    /// Why none that is understood speaks for the Service.
    pub(crate) fn silence<T>(
        &self,
        config: &SpeakerConfig,
        pool: &PoolName,
        service: &Labels,
    ) -> Admission<T> {
        let unknown = self.unknown.iter();
        let unknown = unknown.filter(|(advertisement, _)| advertisement.admits_service(service));
        let pool = pool.clone();
        if let Some(feature) = unknown.map(|&(_, feature)| feature).min() {
            let feature = feature.to_owned();
            Admission::Refused(Withheld::UnknownFeature { feature })
        } else if config.pools.contains_key(&pool) {
            Admission::Refused(Withheld::NoAdvertisement { pool })
        } else {
            Admission::Unknown(Withheld::PoolUnknown { pool })
        }
    }
}

impl Advertisement for L2Advertisement {
    fn all(config: &SpeakerConfig) -> &[Self] {
        &config.l2_advertisements
    }

    fn requires(&self) -> &[String] {
        &self.requires
    }

    fn is_selective(&self) -> bool {
        !self.service_selectors.is_empty()
    }

    fn admits_pool(&self, pool: &PoolName, labels: &Labels) -> bool {
        self.admits_pool(pool, labels)
    }

    fn admits_service(&self, labels: &Labels) -> bool {
        self.admits_service(labels)
    }
}

impl Advertisement for BgpAdvertisement {
    fn all(config: &SpeakerConfig) -> &[Self] {
        &config.bgp_advertisements
    }

    fn requires(&self) -> &[String] {
        &self.requires
    }

    fn is_selective(&self) -> bool {
        !self.service_selectors.is_empty()
    }

    fn admits_pool(&self, pool: &PoolName, labels: &Labels) -> bool {
        self.admits_pool(pool, labels)
    }

    fn admits_service(&self, labels: &Labels) -> bool {
        self.admits_service(labels)
    }
}
