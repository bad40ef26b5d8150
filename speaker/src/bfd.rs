//! The BFD driver: moves datagrams and deadlines between UDP and the [`bfd::Session`] machines, on a
//! thread of its own, so that nothing else in the process makes us late.
//!
//! ```text
//!                                              │ thread "bfd" (its own)
//! peers ──Wishes (watch)──▶ run ──Order (mpsc)─┼─▶ engine ── Link × n (machine, sender) ─▶ UDP
//!   ▲                        ▲ ◀──Report (mpsc)┼── ▲ │ └─ Ports (receivers) ◀─────────── UDP
//!   └──Statuses (watch)──────│─────────────────┼─────┘
//! run.rs ──hold_on, leave────┘                 │   ppoll, to the nanosecond
//! ```
//!
//! There is no thread and no socket before a peer asks for BFD. The engine is a loop around `ppoll`
//! and not a tokio runtime: tokio's timers have a grain of a millisecond, which at intervals of 10 ms
//! is a tenth of what is to be measured; a timer descriptor beside it would cost two more calls for
//! each packet; and the rule that everything that has arrived is handed in before a timer expires is
//! the order of three lines here. It allocates nothing for a packet.
//!
//! Should the engine panic, so does [`run`]: the process must not go on as if its paths were watched.

mod arrivals;
mod control;
mod engine;
mod link;
mod metrics;
mod ports;
mod status;
mod wanted;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic;
use std::thread;
use std::time::Duration;

use model::NodeName;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use control::Command;
use engine::{Engine, Order, Orders, Report};

pub use control::{Absence, Absences, Commands, Control, control};
pub use metrics::Metrics;
pub use status::{Adoption, Figures, Status, Statuses};
pub use wanted::{Key, Settings, Wish, Wishes};

/// How long far sides are told that we leave, where nobody has asked for that before the end.
const FAREWELL: Duration = Duration::from_secs(1);

/// How the driver is tied to the rest.
#[derive(Debug)]
pub struct Channels {
    /// What the peers want; the latest counts. The driver ends when the sender is dropped.
    pub wishes: watch::Receiver<Wishes>,
    /// How the sessions stand, after each change of a state or of what was negotiated.
    pub statuses: watch::Sender<Statuses>,
    /// What is to be done before the process ends.
    pub commands: Commands,
    /// Ends the driver, after every far side was told.
    pub shutdown: CancellationToken,
}

/// Where and as whom the driver speaks.
#[derive(Debug, Clone)]
pub struct Ground {
    /// This node: discriminators and source ports are derived from its name.
    pub node: NodeName,
    /// On which address of each family datagrams are received.
    pub receive_on: [IpAddr; 2],
}

impl Ground {
    /// All addresses of a node.
    pub fn of(node: NodeName) -> Self {
        Self {
            node,
            receive_on: [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        }
    }
}

/// Runs until shutdown.
pub async fn run(ground: Ground, channels: Channels, metrics: Metrics) {
    let Channels {
        wishes,
        statuses,
        commands,
        shutdown,
    } = channels;
    let mut driver = Driver {
        ground,
        statuses,
        metrics,
        engine: None,
    };
    driver.drive(wishes, commands, shutdown).await;
    driver.finish().await;
}

struct Driver {
    ground: Ground,
    statuses: watch::Sender<Statuses>,
    metrics: Metrics,
    engine: Option<Running>,
}

/// The thread.
struct Running {
    orders: Orders,
    reports: mpsc::UnboundedReceiver<Report>,
    thread: thread::JoinHandle<()>,
}

impl Driver {
    /// Returns when it is time to end.
    async fn drive(
        &mut self,
        mut wishes: watch::Receiver<Wishes>,
        mut commands: Commands,
        shutdown: CancellationToken,
    ) {
        wishes.mark_changed();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Some(command) = commands.receive() => self.carry_out(command),
                changed = wishes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let wanted = wanted::fold(&wishes.borrow_and_update());
                    if self.engine.is_some() || !wanted.is_empty() {
                        self.order(Order::Want(wanted));
                    }
                }
                report = report(&mut self.engine) => match report {
                    Some(report) => log(report),
                    // It is over before its time.
                    None => return,
                }
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        if self.engine.is_none() {
            // Nobody is told anything, which the command's sender sees by the dropped answer.
            return;
        }
        self.order(match command {
            Command::HoldOn(answer) => Order::HoldOn(answer),
            Command::Leave(answer) => Order::Leave(answer),
        });
    }

    fn order(&mut self, order: Order) {
        let engine = match self.engine.take() {
            Some(engine) => Ok(engine),
            None => start(&self.ground, &self.statuses, &self.metrics),
        };
        match engine {
            Ok(engine) => {
                engine.orders.send(order);
                self.engine = Some(engine);
            }
            Err(error) => {
                let error = runtime::log::chain(&error);
                warn!(error, "failed to start BFD; no peer is protected by it");
            }
        }
    }

    /// Has every far side told that we leave, unless it was told something else, and ends the thread.
    async fn finish(mut self) {
        let Some(engine) = self.engine.take() else {
            return;
        };
        let (answer, left) = oneshot::channel();
        engine.orders.send(Order::Leave(answer));
        // Whoever was not told by then finds out by itself.
        let _ = timeout(FAREWELL, left).await;
        drop(engine.orders);
        if let Err(panic) = engine.thread.join() {
            panic::resume_unwind(panic);
        }
    }
}

fn start(
    ground: &Ground,
    statuses: &watch::Sender<Statuses>,
    metrics: &Metrics,
) -> io::Result<Running> {
    let (outlet, reports) = mpsc::unbounded_channel();
    let (orders, inlet) = engine::orders()?;
    let engine = Engine::new(
        ground.clone(),
        inlet,
        statuses.clone(),
        outlet,
        metrics.clone(),
    );
    let thread = thread::Builder::new()
        .name("bfd".to_owned())
        .spawn(move || engine.run())?;
    Ok(Running {
        orders,
        reports,
        thread,
    })
}

/// What the engine has to say; never, while there is none; `None` once it is over.
async fn report(engine: &mut Option<Running>) -> Option<Report> {
    match engine {
        Some(engine) => engine.reports.recv().await,
        None => std::future::pending().await,
    }
}

fn log(report: Report) {
    match report {
        Report::PortFailed { error } => {
            warn!(error, "no BFD session can be had, trying again");
        }
        Report::PortOpen { port } => info!(port, "BFD's port is open again"),
        Report::PollFailed { error } => {
            tracing::error!(bug = true, error, "failed to wait for BFD's datagrams");
        }
    }
}

#[cfg(test)]
mod tests;
