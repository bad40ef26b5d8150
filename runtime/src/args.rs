//! The part of the command line that both binaries share. Every flag can be given as an
//! environment variable; the flag wins.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How to reach the API server, and how to log. Flatten it into a binary's arguments.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// File that says how to reach the API server (several, separated by ':', are merged).
    ///
    /// Without it: in a pod its ServiceAccount, elsewhere ~/.kube/config.
    #[arg(
        long,
        env = "KUBECONFIG",
        value_name = "FILE",
        help_heading = "API server"
    )]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig to use instead of its current one.
    #[arg(
        long,
        env = "SEAMARK_CONTEXT",
        value_name = "NAME",
        help_heading = "API server"
    )]
    pub context: Option<String>,

    /// How a log line looks: for people (text) or for machines (json).
    #[arg(
        long,
        env = "SEAMARK_LOG_FORMAT",
        value_enum,
        default_value_t = LogFormat::Text,
        help_heading = "Logs"
    )]
    pub log_format: LogFormat,

    /// What to log: error, warn, info, debug or trace.
    ///
    /// Modules can be set apart, as in "info,speaker=debug".
    #[arg(
        long,
        env = "SEAMARK_LOG",
        value_name = "FILTER",
        default_value = "info",
        help_heading = "Logs"
    )]
    pub log_level: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where health and metrics are served. `PORT` is the binary's own default: on a node whose
/// network the pods share, two binaries cannot have the same one.
#[derive(Debug, Clone, Args)]
pub struct Admin<const PORT: u16> {
    /// Address and port of /healthz, /readyz and /metrics.
    #[arg(
        long,
        env = "SEAMARK_ADMIN_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value_t = SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)),
        help_heading = "Health and metrics"
    )]
    pub admin_address: SocketAddr,
}

/// The namespace that both binaries run in.
#[derive(Debug, Clone, Args)]
pub struct Namespace {
    /// Namespace that Seamark runs in. The controller reads passwords of BGPPeers from Secrets
    /// there, and speakers read the one Secret seamark-speaker.
    ///
    /// Without it: in a pod its own namespace, elsewhere seamark-system.
    #[arg(
        long,
        env = "POD_NAMESPACE",
        value_name = "NAME",
        help_heading = "API server"
    )]
    pub namespace: Option<String>,
}

/// Where a pod finds the namespace of its ServiceAccount.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Where the manifests install us.
const DEFAULT_NAMESPACE: &str = "seamark-system";

impl Namespace {
    /// As given, else the pod's, else the one of the manifests.
    pub fn name(&self) -> String {
        self.name_or(std::fs::read_to_string(OWN_NAMESPACE).ok())
    }

    fn name_or(&self, pod: Option<String>) -> String {
        let candidates = [self.namespace.clone(), pod];
        let mut named = candidates.iter().flatten().map(|name| name.trim());
        let name = named.find(|name| !name.is_empty());
        name.unwrap_or(DEFAULT_NAMESPACE).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    /// Does what the test is about.
    #[derive(Debug, Parser)]
    struct Binary {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        admin: Admin<7473>,
        #[command(flatten)]
        namespace: Namespace,
    }

    #[test]
    fn every_flag_has_an_environment_variable_and_a_help_text() {
        let command = Binary::command();
        for argument in command
            .get_arguments()
            .filter(|argument| argument.get_id() != "help")
        {
            assert!(
                argument.get_env().is_some(),
                "{} has no variable",
                argument.get_id()
            );
            assert!(
                argument.get_help().is_some(),
                "{} has no help",
                argument.get_id()
            );
        }
        assert_eq!(command.get_arguments().count(), 6);
    }

    #[test]
    fn the_help_begins_with_what_the_binary_is_for() {
        let help = Binary::command().render_long_help().to_string();
        assert!(help.starts_with("Does what the test is about"), "{help}");
        assert!(!help.contains("PORT`"), "{help}");
    }

    #[test]
    fn defaults_are_text_at_info_on_the_port_of_the_binary() {
        let binary = Binary::parse_from(["binary"]);
        assert_eq!(binary.common.log_format, LogFormat::Text);
        assert_eq!(binary.common.log_level, "info");
        assert_eq!(binary.admin.admin_address.to_string(), "[::]:7473");
    }

    #[test]
    fn either_family_can_be_named_as_admin_address() {
        for address in ["127.0.0.1:80", "[fd00::1]:80"] {
            let binary = Binary::parse_from(["binary", "--admin-address", address]);
            assert_eq!(binary.admin.admin_address.to_string(), address);
        }
    }
    #[test]
    fn the_namespace_is_as_given_or_the_pods_or_that_of_the_manifests() {
        let pod = || Some("of-the-pod\n".to_owned());
        let given = |name: Option<&str>| Namespace {
            namespace: name.map(str::to_owned),
        };
        assert_eq!(given(Some("given")).name_or(pod()), "given");
        assert_eq!(given(Some("")).name_or(pod()), "of-the-pod");
        assert_eq!(given(None).name_or(pod()), "of-the-pod");
        assert_eq!(given(None).name_or(None), "seamark-system");
    }
}
