//! The command line of the controller.

use std::time::Duration;

use clap::{Parser, Subcommand};
use model::LoadBalancerClasses;
use runtime::args::{Admin, Common, Namespace};

use crate::quickstart::{Peer, Quickstart};
use crate::request::Annotations;
use crate::service::Reading;

/// Gives addresses from IPAddressPools to Services of type LoadBalancer.
///
/// Run one replica or more: one of them decides and writes, by a Lease in its namespace, and the
/// others stand by. It needs the kinds of group seamark.io (crds/manifests) and the role
/// seamark-controller (charts/seamark/rbac). It writes Services' status and the ledger
/// (kubectl get ipallocations), the one SpeakerConfig that all speakers read, and, in its own
/// namespace, the Secret seamark-speaker with the passwords of BGPPeers.
#[derive(Debug, Parser)]
#[command(
    name = "seamark-controller",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// How to run.
    #[command(flatten)]
    pub run: Args,
}

/// What to do instead of running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Has all speakers withdraw their addresses, before Seamark is deleted from a cluster.
    Uninstall(Uninstall),
}

/// How to run.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    pub admin: Admin<7472>,

    #[command(flatten)]
    pub namespace: Namespace,

    /// Name of this replica's place, in which one process lives at a time: in a pod, the pod's name.
    /// Whoever comes back in its place goes on at once with the lease of who was there before.
    ///
    /// Without it each process is a replica of its own, and waits for 15 s after one that was killed.
    #[arg(
        long,
        env = "POD_NAME",
        value_name = "NAME",
        help_heading = "API server"
    )]
    pub replica: Option<String>,

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

    /// Whether annotations of metallb.io and metallb.universe.tf are read like those of seamark.io.
    #[arg(
        long,
        env = "SEAMARK_METALLB_ANNOTATIONS",
        default_value_t = true,
        action = clap::ArgAction::Set,
        value_name = "true|false"
    )]
    pub metallb_annotations: bool,

    /// Addresses (192.0.2.0/24, 192.0.2.10-192.0.2.20) of a pool named quickstart; may be given
    /// several times or as a list with commas.
    ///
    /// The pool is created with an advertisement if it is not there, and never changed after that.
    #[arg(
        long = "quickstart-addresses",
        env = "SEAMARK_QUICKSTART_ADDRESSES",
        value_delimiter = ',',
        value_name = "ADDRESSES",
        help_heading = "First configuration"
    )]
    pub quickstart_addresses: Vec<String>,

    /// A BGP peer of all nodes, as peerAddress=192.0.2.1,peerASN=64512,myASN=64513; may be given
    /// several times, or as a list with semicolons. Addresses are told to peers then, and not
    /// answered on the segment. Created like the pool.
    #[arg(
        long = "quickstart-peer",
        env = "SEAMARK_QUICKSTART_PEERS",
        value_delimiter = ';',
        value_name = "PEER",
        help_heading = "First configuration"
    )]
    pub quickstart_peers: Vec<Peer>,
}

/// Has all speakers withdraw their addresses, and waits until they have.
///
/// What stays: the kinds, the configuration and the ledger, so that every Service gets its address
/// again from the next installation. Speakers and controllers of this one must be deleted next.
#[derive(Debug, clap::Args)]
pub struct Uninstall {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    pub namespace: Namespace,

    /// Take the addresses and our condition from the status of all Services, which then are pending.
    #[arg(long, env = "SEAMARK_UNINSTALL_CLEAR_STATUS")]
    pub clear_status: bool,

    /// Delete the kinds too, and with them every pool, advertisement, peer and ledger entry.
    #[arg(long, env = "SEAMARK_UNINSTALL_PURGE")]
    pub purge: bool,

    /// Seconds to wait for speakers that say nothing, as those of dead nodes do.
    #[arg(
        long,
        env = "SEAMARK_UNINSTALL_TIMEOUT",
        default_value_t = 30,
        value_name = "SECONDS"
    )]
    pub timeout: u32,
}

impl Args {
    /// Which Services are ours, and what of them we go by.
    pub(crate) fn reading(&self) -> Reading {
        let further = self.load_balancer_classes.iter().cloned();
        Reading {
            classes: LoadBalancerClasses::new(self.default_class, further),
            annotations: if self.metallb_annotations {
                Annotations::OursAndMetalLb
            } else {
                Annotations::Ours
            },
        }
    }

    /// What is to be created if it is not there.
    pub fn quickstart(&self) -> Quickstart {
        Quickstart {
            addresses: self.quickstart_addresses.clone(),
            peers: self.quickstart_peers.clone(),
        }
    }
}

impl Uninstall {
    /// How long speakers may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_has_an_environment_variable_and_a_help_text() {
        let mut command = Cli::command();
        command.build();
        let commands = std::iter::once(&command).chain(command.get_subcommands());
        for command in commands.filter(|command| command.get_name() != "help") {
            for argument in command.get_arguments() {
                let name = argument.get_id();
                let built_in = ["help", "version"].contains(&name.as_str());
                assert!(
                    built_in || argument.get_env().is_some(),
                    "{name} has no variable"
                );
                assert!(argument.get_help().is_some(), "{name} has no help");
            }
        }
    }

    #[test]
    fn it_runs_unless_told_otherwise() {
        let flags = [
            "c",
            "--quickstart-addresses",
            "192.0.2.1-192.0.2.9,2001:db8::/120",
        ];
        let cli = Cli::parse_from(flags);
        assert!(cli.command.is_none());
        assert_eq!(cli.run.quickstart().addresses.len(), 2);
        let cli = Cli::parse_from(["c", "uninstall", "--purge", "--timeout", "5"]);
        let Some(Command::Uninstall(uninstall)) = cli.command else {
            panic!("{cli:?}");
        };
        assert!(uninstall.purge && !uninstall.clear_status);
        assert_eq!(uninstall.timeout(), Duration::from_secs(5));
        assert!(Cli::try_parse_from(["c", "--default-class", "true", "uninstall"]).is_err());
    }

    #[test]
    fn peers_come_one_by_one_or_with_semicolons() {
        let one = "peerAddress=192.0.2.1,peerASN=1,myASN=2";
        let both = format!("{one};peerAddress=192.0.2.2,peerASN=1,myASN=2");
        let cli = Cli::parse_from(["c", "--quickstart-peer", &both, "--quickstart-peer", one]);
        assert_eq!(cli.run.quickstart().peers.len(), 3);
    }
}
