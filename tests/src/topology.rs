//! What ground a scenario stands on.

use anyhow::{Context, Result};

/// The options of a lab. Scenarios with the same topology share one lab.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topology {
    /// How many nodes, n1 and onwards (1 to 9).
    pub nodes: u8,
    /// How many routers, r1 and onwards (1 to 4). The client is behind r1, and behind r2.
    pub routers: u8,
    /// kube-proxy on each node, or none.
    pub proxy: Option<ProxyMode>,
    /// Pods that stand at the start of each scenario.
    pub pods: Vec<PodSpec>,
    /// Nodes run containerd and kubelet, and pods are where the scheduler puts them; without it nodes
    /// and pods are objects written by hand.
    pub kubelets: bool,
    /// Our kinds and roles are installed in the cluster.
    pub seamark: bool,
    /// The API server notes each write of ours, see [`crate::audit`]; it costs a little time.
    pub audit: bool,
}

/// A pod of the base: its name, its node, and its label `app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodSpec {
    /// Name of the Pod object in the namespace `default`.
    pub name: String,
    /// The node it runs on.
    pub node: String,
    /// Value of its label `app`.
    pub app: String,
}

/// kube-proxy's way of forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyMode {
    /// `--proxy-mode=nftables`.
    Nftables,
    /// `--proxy-mode=iptables`.
    Iptables,
}

impl ProxyMode {
    /// The word that kube-proxy's flag takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nftables => "nftables",
            Self::Iptables => "iptables",
        }
    }
}

impl Default for Topology {
    /// Three nodes with kube-proxy in nftables mode; pods web-1 on n1 and web-2 on n2, none on n3.
    fn default() -> Self {
        let pod = |name: &str, node: &str| PodSpec {
            name: name.to_owned(),
            node: node.to_owned(),
            app: "web".to_owned(),
        };
        Self {
            nodes: 3,
            routers: 1,
            proxy: Some(ProxyMode::Nftables),
            pods: vec![pod("web-1", "n1"), pod("web-2", "n2")],
            kubelets: false,
            seamark: true,
            audit: false,
        }
    }
}

impl Topology {
    /// Three nodes as clusters have them, with nothing of ours: what the chart is installed on.
    pub fn real() -> Self {
        Self {
            pods: Vec::new(),
            kubelets: true,
            seamark: false,
            ..Self::default()
        }
    }

    /// The same with kube-proxy in another mode.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Option<ProxyMode>) -> Self {
        self.proxy = proxy;
        self
    }

    /// The same with another number of nodes.
    #[must_use]
    pub fn with_nodes(mut self, nodes: u8) -> Self {
        self.nodes = nodes;
        self
    }

    /// The same with another number of routers.
    #[must_use]
    pub fn with_routers(mut self, routers: u8) -> Self {
        self.routers = routers;
        self
    }

    /// Names of the nodes in order.
    pub fn node_names(&self) -> Vec<String> {
        (1..=self.nodes)
            .map(|number| format!("n{number}"))
            .collect()
    }

    /// One line for progress and failures.
    pub fn describe(&self) -> String {
        let proxy = self.proxy.map_or("none", ProxyMode::as_str);
        let routers = match self.routers {
            1 => String::new(),
            routers => format!(", {routers} routers"),
        };
        let kubelets = if self.kubelets { " with kubelet" } else { "" };
        format!(
            "{} nodes{kubelets}{routers}, kube-proxy {proxy}",
            self.nodes
        )
    }
}

/// The number in a node's name.
pub(crate) fn node_number(name: &str) -> Result<u8> {
    let number = name
        .strip_prefix('n')
        .and_then(|digits| digits.parse().ok());
    number.with_context(|| format!("{name} is no node of the lab; they are n1, n2 …"))
}
