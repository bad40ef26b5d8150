//! The command line of the controller.

use clap::Parser;
use model::LoadBalancerClasses;
use runtime::args::{Admin, Common, Namespace};

/// Gives addresses from IPAddressPools to Services of type LoadBalancer.
///
/// Run one replica. It needs the kinds of group seamark.io (crds/manifests) and the role
/// seamark-controller (charts/seamark/rbac). It writes Services' status and the ledger
/// (kubectl get ipallocations), the one SpeakerConfig that all speakers read, and, in its own
/// namespace, the Secret seamark-speaker with the passwords of BGPPeers.
#[derive(Debug, Parser)]
#[command(name = "seamark-controller", version)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    pub admin: Admin<7472>,

    #[command(flatten)]
    pub namespace: Namespace,

    /// Whether Services without spec.loadBalancerClass are ours. Give the speakers the same.
    #[arg(
        long,
        env = "SEAMARK_DEFAULT_CLASS",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "true|false"
    )]
    pub default_class: bool,

    /// Further values of spec.loadBalancerClass that are ours besides seamark.io/lb; may be given
    /// several times or as a list with commas. Give the speakers the same.
    #[arg(
        long = "load-balancer-class",
        env = "SEAMARK_LOAD_BALANCER_CLASS",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub load_balancer_classes: Vec<String>,
}

impl Args {
    /// Which Services are ours.
    pub fn classes(&self) -> LoadBalancerClasses {
        LoadBalancerClasses::new(
            self.default_class,
            self.load_balancer_classes.iter().cloned(),
        )
    }
}
