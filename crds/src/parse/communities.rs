//! Names for communities.

use std::collections::BTreeMap;

use super::{created, name_of};
use crate::community::Community;
use crate::problem::{BgpProblem, Invalid};

/// What each name stands for, and which object says so.
#[derive(Debug, Default)]
pub(super) struct Named {
    values: BTreeMap<String, (model::Community, String)>,
}

impl Named {
    /// What an advertisement means by a text: a community in numbers, a well-known one, or a name.
    pub(super) fn resolve(&self, text: &str) -> Result<model::Community, BgpProblem> {
        let problem = match text.parse() {
            Ok(community) => return Ok(community),
            Err(problem) => problem,
        };
        match self.values.get(text) {
            Some((community, _)) => Ok(*community),
            None if is_name(text) => Err(BgpProblem::UnknownCommunity(text.to_owned())),
            None => Err(problem.into()),
        }
    }
}

/// Reads the names of all objects, the oldest first. A name that an older object gives another
/// value keeps that; the rest of the object counts.
pub(super) fn read(objects: &[&Community]) -> (Named, Vec<Invalid>) {
    let mut objects = objects.to_vec();
    objects.sort_by_key(|object| (created(&object.metadata), name_of(&object.metadata)));
    let mut named = Named::default();
    let mut problems = Vec::new();
    for object in objects {
        let (read, found) = super::read(object, |report| {
            let mut values = Vec::new();
            for (index, item) in object.spec.communities.iter().enumerate() {
                let field = format!("spec.communities[{index}]");
                let name = report.take(&format!("{field}.name"), name(&item.name));
                let value = item.value.parse().map_err(BgpProblem::from);
                let value = report.take(&format!("{field}.value"), value);
                if let (Some(name), Some(value)) = (name, value) {
                    match named.values.get(name) {
                        Some((other, older)) if *other != value => {
                            let problem = BgpProblem::NameTaken {
                                name: name.to_owned(),
                                older: older.clone(),
                            };
                            report.add(format!("{field}.name"), problem);
                        }
                        Some(_) | None => values.push((name.to_owned(), value)),
                    }
                }
            }
            values
        });
        let owner = name_of(&object.metadata);
        for (name, value) in read.into_iter().flatten() {
            let entry = named.values.entry(name);
            entry.or_insert_with(|| (value, owner.to_owned()));
        }
        problems.extend(found);
    }
    (named, problems)
}

fn name(text: &str) -> Result<&str, BgpProblem> {
    if !is_name(text) {
        Err(BgpProblem::CommunityName(text.to_owned()))
    } else if text.parse::<model::Community>().is_ok() {
        Err(BgpProblem::WellKnownName {
            name: text.to_owned(),
        })
    } else {
        Ok(text)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c == ':' || c.is_whitespace())
}
