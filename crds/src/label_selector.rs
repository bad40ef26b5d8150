//! Label selectors, as every kind of ours writes them.

use std::collections::BTreeMap;

use model::{Operator, Requirement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::schema;

/// Selects objects by their labels, with the meaning that Kubernetes gives it everywhere: all
/// parts must hold, and an empty selector selects everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be there with exactly these values. Empty requires none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::match_labels")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements, all of which must hold. Empty requires none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One requirement on the labels of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::requirement_rules()))]
pub struct LabelSelectorRequirement {
    /// Key of the label.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label relates to the values: In, NotIn, Exists or DoesNotExist.
    #[schemars(extend("enum" = ["In", "NotIn", "Exists", "DoesNotExist"]))]
    pub operator: String,
    /// Values to compare with. At least one for In and NotIn, none for Exists and DoesNotExist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

impl From<&model::LabelSelector> for LabelSelector {
    fn from(selector: &model::LabelSelector) -> Self {
        Self {
            match_labels: selector.match_labels.clone(),
            match_expressions: selector.match_expressions.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<&LabelSelector> for model::LabelSelector {
    type Error = Problem;

    fn try_from(selector: &LabelSelector) -> Result<Self, Problem> {
        let requirements = selector.match_expressions.iter().map(Requirement::try_from);
        Ok(Self {
            match_labels: selector.match_labels.clone(),
            match_expressions: requirements.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Requirement> for LabelSelectorRequirement {
    fn from(requirement: &Requirement) -> Self {
        let (operator, values) = match &requirement.operator {
            Operator::In(values) => ("In", values.iter().cloned().collect()),
            Operator::NotIn(values) => ("NotIn", values.iter().cloned().collect()),
            Operator::Exists => ("Exists", Vec::new()),
            Operator::DoesNotExist => ("DoesNotExist", Vec::new()),
        };
        Self {
            key: requirement.key.clone(),
            operator: operator.to_owned(),
            values,
        }
    }
}

impl TryFrom<&LabelSelectorRequirement> for Requirement {
    type Error = Problem;

    fn try_from(requirement: &LabelSelectorRequirement) -> Result<Self, Problem> {
        let key = requirement.key.clone();
        let operator = requirement.operator.clone();
        let values = requirement.values.iter().cloned().collect();
        let none = requirement.values.is_empty();
        let operator = match operator.as_str() {
            "In" | "NotIn" if none => return Err(Problem::ValuesMissing { key, operator }),
            "Exists" | "DoesNotExist" if !none => {
                return Err(Problem::ValuesUnwanted { key, operator });
            }
            "In" => Operator::In(values),
            "NotIn" => Operator::NotIn(values),
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return Err(Problem::UnknownOperator { key, operator }),
        };
        Ok(Self { key, operator })
    }
}
