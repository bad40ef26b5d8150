//! The command line of the speaker.

use clap::Parser;
use model::{LoadBalancerClasses, NodeName};
use runtime::args::{Admin, Common, Namespace};

/// Where health and metrics are served by default. Speakers share their node's network.
const ADMIN_PORT: u16 = 7473;

/// Where kube-proxy tells its health by default.
const PROXY_HEALTH_PORT: u16 = 10256;

/// Answers ARP and NDP on its node for addresses of Services of type LoadBalancer.
///
/// Run one on each node, in the node's network namespace, with the capability NET_RAW. It needs
/// the kinds of group seamark.io (crds/manifests) and the role seamark-speaker
/// (charts/seamark/rbac). What it announces follows from the ledger and the one SpeakerConfig,
/// both of which the controller writes; kubectl get speakerstatuses shows what comes of it.
#[derive(Debug, Parser)]
#[command(name = "seamark-speaker", version)]
pub struct Args {
    /// How to reach the API server, and how to log.
    #[command(flatten)]
    pub common: Common,

    /// Where health and metrics are served.
    #[command(flatten)]
    pub admin: Admin<ADMIN_PORT>,

    /// Where the Secret with the passwords of BGP peers is.
    #[command(flatten)]
    pub namespace: Namespace,

    /// Name of the Node object of the machine that this runs on; by default the hostname.
    #[arg(long, env = "NODE_NAME", value_name = "NAME")]
    pub node_name: Option<String>,

    /// Port at which the service proxy of this node (kube-proxy) tells whether it serves, at
    /// /healthz; 0 asks nobody, and takes it to serve.
    #[arg(
        long,
        env = "SEAMARK_PROXY_HEALTH_PORT",
        default_value_t = PROXY_HEALTH_PORT,
        value_name = "PORT"
    )]
    pub proxy_health_port: u16,

    /// Whether Services without spec.loadBalancerClass are ours. Give the controller the same.
    #[arg(
        long,
        env = "SEAMARK_DEFAULT_CLASS",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "true|false"
    )]
    pub default_class: bool,

    /// Further values of spec.loadBalancerClass that are ours besides seamark.io/lb; may be given
    /// several times or as a list with commas. Give the controller the same.
    #[arg(
        long = "load-balancer-class",
        env = "SEAMARK_LOAD_BALANCER_CLASS",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub load_balancer_classes: Vec<String>,

    /// TCP port where BGP peers connect to us whose BGPPeer says passive; no port is open without
    /// one. Ports below 1024 need the capability NET_BIND_SERVICE.
    #[arg(
        long,
        env = "SEAMARK_BGP_PORT",
        default_value_t = 179,
        value_name = "PORT"
    )]
    pub bgp_port: u16,
}

/// Nobody says which node this is.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell which node this is: give its name with --node-name or NODE_NAME")]
pub struct NodeNameError(#[source] std::io::Error);

impl Args {
    /// Which Services are ours.
    pub fn classes(&self) -> LoadBalancerClasses {
        LoadBalancerClasses::new(
            self.default_class,
            self.load_balancer_classes.iter().cloned(),
        )
    }

    /// The name of this node: as given, else the hostname in the form that kubelet registers.
    pub fn node_name(&self) -> Result<NodeName, NodeNameError> {
        let name = match &self.node_name {
            Some(name) => name.clone(),
            None => {
                let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
                name.map_err(NodeNameError)?.trim().to_lowercase()
            }
        };
        Ok(NodeName::new(name))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_has_an_environment_variable_and_a_help_text() {
        for argument in Args::command().get_arguments() {
            let name = argument.get_id();
            assert!(argument.get_env().is_some(), "{name} has no variable");
            assert!(argument.get_help().is_some(), "{name} has no help");
        }
    }

    #[test]
    fn classless_services_are_ours_unless_told_otherwise() {
        let args = Args::parse_from(["speaker", "--node-name", "n1"]);
        assert_eq!(args.node_name().unwrap(), NodeName::new("n1"));
        assert!(args.classes().serve(None));
        let args = Args::parse_from(["speaker", "--default-class", "false"]);
        assert!(!args.classes().serve(None));
        assert!(args.classes().serve(Some("seamark.io/lb")));
    }

    #[test]
    fn aliases_of_the_class_come_one_by_one_or_with_commas() {
        let flags = [
            "speaker",
            "--load-balancer-class",
            "a,b",
            "--load-balancer-class",
            "c",
        ];
        let classes = Args::parse_from(flags).classes();
        for name in ["a", "b", "c"] {
            assert!(classes.serve(Some(name)), "{name}");
        }
        assert!(!classes.serve(Some("d")));
    }

    #[test]
    fn the_hostname_is_the_default_name_of_the_node() {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let args = Args::parse_from(["speaker"]);
        if std::env::var_os("NODE_NAME").is_none() {
            let expected = NodeName::new(hostname.trim().to_lowercase());
            assert_eq!(args.node_name().unwrap(), expected);
        }
    }
}
