//! kube-proxy on each node: started with the lab, and ended, paused or started otherwise by those
//! who want to see what comes of it.

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::Lab;
use crate::process::{Process, Start, Surroundings};
use crate::run::Stage;
use crate::tools;

impl Lab {
    /// SIGKILL the kube-proxy of a node. What it has set up in the kernel stays.
    pub fn kill_proxy(&mut self, node: &str) -> Result<()> {
        self.proxy(node)?.kill().map(drop)
    }

    /// SIGSTOP the kube-proxy of a node: who asks it gets a connection and no answer.
    pub fn pause_proxy(&mut self, node: &str) -> Result<()> {
        self.proxy(node)?.signal(Signal::SIGSTOP)
    }

    /// Let it go on.
    pub fn resume_proxy(&mut self, node: &str) -> Result<()> {
        self.proxy(node)?.signal(Signal::SIGCONT)
    }

    /// Start the kube-proxy of a node, with these arguments after the usual ones; one that runs is
    /// killed first.
    pub fn start_proxy(&mut self, node: &str, arguments: &[&str]) -> Result<()> {
        self.proxies.remove(node);
        self.odd_proxies.insert(node.to_owned());
        let proxy = self.spawn_proxy(node, arguments)?;
        self.proxies.insert(node.to_owned(), proxy);
        Ok(())
    }

    pub(super) fn start_proxies(&mut self) -> Result<()> {
        self.proxies.clear();
        self.odd_proxies.clear();
        if self.topology.proxy.is_some() {
            for node in self.topology.node_names() {
                let proxy = self.spawn_proxy(&node, &[])?;
                self.proxies.insert(node, proxy);
            }
        }
        Ok(())
    }

    /// Start those anew that a scenario has laid hands on, without what they have left behind: a new
    /// kube-proxy may stumble over rules of a Service that is gone and has come again.
    pub(super) fn restore_proxies(&mut self) -> Result<()> {
        for node in std::mem::take(&mut self.odd_proxies) {
            self.proxies.remove(&node);
            self.node(&node).run(&["nft", "flush", "ruleset"])?;
            let proxy = self.spawn_proxy(&node, &[])?;
            self.proxies.insert(node, proxy);
        }
        self.proxies.values().try_for_each(Process::expect_running)
    }

    fn proxy(&mut self, node: &str) -> Result<&mut Process> {
        self.odd_proxies.insert(node.to_owned());
        let proxy = self.proxies.get_mut(node);
        proxy.with_context(|| format!("{node} has no kube-proxy"))
    }

    fn spawn_proxy(&self, node: &str, more: &[&str]) -> Result<Process> {
        let Some(mode) = self.topology.proxy else {
            bail!("this lab has no kube-proxy");
        };
        let mut arguments = vec![
            format!("--kubeconfig={}", self.pki.path("proxy.kubeconfig")),
            format!("--hostname-override={node}"),
            format!("--proxy-mode={}", mode.as_str()),
            "--cluster-cidr=10.244.0.0/16,fd00:10:244::/48".to_owned(),
        ];
        // Zero means: leave the machine's own settings alone.
        for setting in [
            "max-per-core",
            "min",
            "tcp-timeout-established",
            "tcp-timeout-close-wait",
        ] {
            arguments.push(format!("--conntrack-{setting}=0"));
        }
        arguments.extend(more.iter().map(|one| (*one).to_owned()));
        Start {
            run: &self.run,
            host: node,
            name: &format!("kube-proxy-{node}"),
            stage: Stage::Guest,
            program: &tools::built("kube-proxy")?,
            arguments: &arguments,
            environment: &[],
            surroundings: Surroundings::Own,
        }
        .spawn()
    }
}
