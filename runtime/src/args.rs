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
        assert_eq!(command.get_arguments().count(), 5);
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
}
