//! Whether two lists of selectors could select the same node, whatever labels nodes have now.

use std::collections::{BTreeMap, BTreeSet};

use model::{LabelSelector, Operator};

/// Whether a node could carry labels that both select. An empty list selects every node.
pub(super) fn overlap(a: &[LabelSelector], b: &[LabelSelector]) -> bool {
    let everything = [LabelSelector::default()];
    let alternatives = |list: &'_ [LabelSelector]| -> Vec<LabelSelector> {
        if list.is_empty() {
            everything.to_vec()
        } else {
            list.to_vec()
        }
    };
    let (a, b) = (alternatives(a), alternatives(b));
    a.iter().any(|a| b.iter().any(|b| can_both_match(a, b)))
}

/// What the value of one label can still be.
struct Values<'a> {
    absent: bool,
    present: bool,
    /// One of these; any without it.
    only: Option<BTreeSet<&'a str>>,
    never: BTreeSet<&'a str>,
}

impl<'a> Values<'a> {
    fn any() -> Self {
        Self {
            absent: true,
            present: true,
            only: None,
            never: BTreeSet::new(),
        }
    }

    fn one_of(&mut self, values: impl Iterator<Item = &'a str>) {
        self.absent = false;
        let values: BTreeSet<&str> = values.collect();
        self.only = Some(match self.only.take() {
            None => values,
            Some(before) => &before & &values,
        });
    }

    fn is_possible(&self) -> bool {
        let only = self.only.as_ref();
        let some_value = only.is_none_or(|values| !values.is_subset(&self.never));
        self.absent || (self.present && some_value)
    }
}

fn can_both_match(a: &LabelSelector, b: &LabelSelector) -> bool {
    let mut labels: BTreeMap<&str, Values<'_>> = BTreeMap::new();
    for selector in [a, b] {
        for (key, value) in &selector.match_labels {
            let values = labels.entry(key).or_insert_with(Values::any);
            values.one_of([value.as_str()].into_iter());
        }
        for requirement in &selector.match_expressions {
            let values = labels.entry(&requirement.key).or_insert_with(Values::any);
            match &requirement.operator {
                Operator::In(allowed) => values.one_of(allowed.iter().map(String::as_str)),
                Operator::NotIn(refused) => {
                    values.never.extend(refused.iter().map(String::as_str));
                }
                Operator::Exists => values.absent = false,
                Operator::DoesNotExist => values.present = false,
            }
        }
    }
    labels.values().all(Values::is_possible)
}

#[cfg(test)]
mod tests {
    use model::Requirement;

    use super::*;

    fn label(key: &str, value: &str) -> LabelSelector {
        LabelSelector::of_labels([(key, value)])
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

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn lists_overlap_unless_no_node_could_carry_labels_for_both() {
        let (a, b) = (label("rack", "a"), label("rack", "b"));
        let not_a = expression("rack", Operator::NotIn(set(&["a"])));
        let a_or_b = expression("rack", Operator::In(set(&["a", "b"])));
        let there = expression("rack", Operator::Exists);
        let absent = expression("rack", Operator::DoesNotExist);
        let other = label("zone", "x");
        for (one, two, expected) in [
            (vec![], vec![], true),
            (vec![], vec![a.clone()], true),
            (vec![a.clone()], vec![a.clone()], true),
            (vec![a.clone()], vec![b.clone()], false),
            (vec![a.clone()], vec![b.clone(), a.clone()], true),
            (vec![a.clone()], vec![other], true),
            (vec![a.clone()], vec![not_a.clone()], false),
            (vec![b], vec![not_a.clone()], true),
            (vec![a_or_b.clone()], vec![not_a.clone()], true),
            (vec![a_or_b], vec![absent.clone()], false),
            (vec![there.clone()], vec![absent.clone()], false),
            (vec![there], vec![not_a.clone()], true),
            (vec![absent], vec![not_a], true),
        ] {
            assert_eq!(overlap(&one, &two), expected, "{one:?} and {two:?}");
            assert_eq!(overlap(&two, &one), expected, "{two:?} and {one:?}");
        }
    }
}
