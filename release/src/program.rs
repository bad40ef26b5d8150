//! The two programs that there are images of.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Name of its binary, its package and its image.
    pub name: &'static str,
    /// What it is, in a line.
    pub description: &'static str,
    /// As whom it runs unless told otherwise.
    pub user: &'static str,
    /// The TCP port of health and metrics.
    pub port: u16,
}

/// Both.
pub const PROGRAMS: [Program; 2] = [
    Program {
        name: "seamark-controller",
        description: "Gives addresses to Services of type LoadBalancer",
        user: "65532:65532",
        port: 7472,
    },
    Program {
        name: "seamark-speaker",
        description: "Makes addresses of Services reachable from its node, by ARP, NDP and BGP",
        // Capabilities that a pod adds reach no other user.
        user: "0:0",
        port: 7473,
    },
];
