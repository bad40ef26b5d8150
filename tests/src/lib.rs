//! The lab: real control plane, real kube-proxy and real frames in network namespaces of one
//! machine. Scenarios, demo and bench are written on top of this library.
//!
//! ```text
//! lan  bridges br0 (10.99.0.0/24, fd99::/64) and br1 (10.95.0.0/24, fd95::/64, joined on request)
//! n1…  nodes     10.99.0.11…  fd99::11…   kube-proxy, a speaker; pods p1… behind them
//! r1   router    10.99.0.1    fd99::1     eth1 10.98.0.1 fd98::1
//! r2   router    10.99.0.5    fd99::5     eth1 10.94.0.1 fd94::1   on request, as are r3 and r4
//! cl   client    10.99.0.100  fd99::100   eth1 10.98.0.2 fd98::2 behind r1, eth2 10.94.0.2 behind r2
//! cp   10.99.0.2 fd99::2      etcd, kube-apiserver :6443, kube-controller-manager
//! ctl  10.99.0.4 fd99::4      the controller
//!      10.99.0.3 fd99::3      the process that runs the lab, in a namespace of its own
//! ```

pub mod address;
pub mod allocations;
pub mod audit;
pub mod capture;
pub mod chart;
pub mod cluster;
mod control_plane;
pub mod eventually;
pub mod frame;
pub mod guide;
pub mod host;
pub mod http;
pub mod kernel;
mod kit;
mod kubelet;
mod namespace;
mod network;
pub mod peer;
mod pki;
pub mod pods;
pub mod probe;
pub mod prober;
pub mod process;
pub mod run;
pub mod runner;
pub mod seamark;
mod shell;
pub mod standstill;
pub mod steps;
pub mod tools;
pub mod topology;
mod wall_clock;

pub use capture::{Capture, Kind, Packet};
pub use eventually::eventually;
pub use frame::Mac;
pub use host::Host;
pub use kit::Lab;
pub use prober::{Prober, Report};
pub use process::Process;
pub use run::enter;
pub use seamark::Part;
pub use standstill::{Standstill, Witness};
pub use topology::{ProxyMode, Topology};
pub use wall_clock::WallClock;
