//! Which Services are ours.

use std::collections::BTreeSet;

/// The class that is always ours (`spec.loadBalancerClass`).
const NATIVE: &str = "seamark.io/lb";

/// The load balancer classes that this installation serves. Controller and speakers must be given
/// the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadBalancerClasses {
    classless: bool,
    names: BTreeSet<String>,
}

impl LoadBalancerClasses {
    /// `classless` says whether Services without a class are ours too; `aliases` are served
    /// besides `seamark.io/lb`.
    pub fn new(classless: bool, aliases: impl IntoIterator<Item = String>) -> Self {
        let mut names: BTreeSet<String> = aliases.into_iter().collect();
        names.insert(NATIVE.to_owned());
        Self { classless, names }
    }

    /// Whether a Service of type LoadBalancer with this class is ours.
    pub fn serve(&self, class: Option<&str>) -> bool {
        class.map_or(self.classless, |name| self.names.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_classes_are_never_ours() {
        let classes = LoadBalancerClasses::new(true, ["old.example/lb".to_owned()]);
        assert!(classes.serve(None));
        assert!(classes.serve(Some("seamark.io/lb")));
        assert!(classes.serve(Some("old.example/lb")));
        assert!(!classes.serve(Some("other.example/lb")));
    }

    #[test]
    fn services_without_a_class_can_be_left_to_others() {
        let classes = LoadBalancerClasses::new(false, []);
        assert!(!classes.serve(None));
        assert!(classes.serve(Some("seamark.io/lb")));
    }
}
