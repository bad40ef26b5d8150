//! Label selectors, with the meaning that Kubernetes gives them
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>).

use std::collections::{BTreeMap, BTreeSet};

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// All requirements must hold; a selector without any selects everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LabelSelector {
    /// Labels that must be there with exactly this value.
    pub match_labels: Labels,
    /// Further requirements.
    pub match_expressions: Vec<Requirement>,
}

/// One line of `matchExpressions`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What must hold for it.
    pub operator: Operator,
}

/// `operator` and `values` of a requirement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// The label is there and its value is one of these.
    In(BTreeSet<String>),
    /// The label is absent or its value is none of these.
    NotIn(BTreeSet<String>),
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    /// A selector of exactly these labels.
    pub fn of_labels<K: Into<String>, V: Into<String>>(
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let match_labels = labels
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        Self {
            match_labels,
            match_expressions: Vec::new(),
        }
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
            && self
                .match_expressions
                .iter()
                .all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn expression(key: &str, operator: Operator) -> LabelSelector {
        let requirement = Requirement {
            key: key.to_owned(),
            operator,
        };
        LabelSelector {
            match_expressions: vec![requirement],
            ..LabelSelector::default()
        }
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert!(LabelSelector::default().matches(&labels(&[])));
        assert!(LabelSelector::default().matches(&labels(&[("a", "b")])));
    }

    #[test]
    fn every_requirement_must_hold() {
        let mut selector = LabelSelector::of_labels([("zone", "a"), ("disk", "ssd")]);
        assert!(selector.matches(&labels(&[("zone", "a"), ("disk", "ssd"), ("x", "y")])));
        assert!(!selector.matches(&labels(&[("zone", "a")])));
        selector.match_expressions = expression("x", Operator::DoesNotExist).match_expressions;
        assert!(!selector.matches(&labels(&[("zone", "a"), ("disk", "ssd"), ("x", "y")])));
    }

    #[test]
    fn operators_mean_what_kubernetes_says() {
        let set = |v: &str| BTreeSet::from([v.to_owned()]);
        for (operator, absent, same, other) in [
            (Operator::In(set("a")), false, true, false),
            (Operator::NotIn(set("a")), true, false, true),
            (Operator::Exists, false, true, true),
            (Operator::DoesNotExist, true, false, false),
        ] {
            let selector = expression("zone", operator);
            assert_eq!(selector.matches(&labels(&[])), absent, "{selector:?}");
            assert_eq!(
                selector.matches(&labels(&[("zone", "a")])),
                same,
                "{selector:?}"
            );
            assert_eq!(
                selector.matches(&labels(&[("zone", "b")])),
                other,
                "{selector:?}"
            );
        }
    }
}
