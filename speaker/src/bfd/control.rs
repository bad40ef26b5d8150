//! What is asked of the driver before the process ends.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Key;

/// Commands under way; there is hardly ever more than one.
const COMMANDS: usize = 4;

/// What a far side has been told before we are silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// How long it waits from the last packet on; zero if the session was not Up.
    pub covered: Duration,
    /// Whether it has confirmed that.
    pub confirmed: bool,
}

/// Those of all sessions that were asked to bear our absence.
pub type Absences = BTreeMap<Key, Absence>;

#[derive(Debug)]
pub(super) enum Command {
    HoldOn(oneshot::Sender<Absences>),
    Leave(oneshot::Sender<()>),
}

/// Has the driver part from the far sides. After the first of these no wish is heard any more.
#[derive(Debug, Clone)]
pub struct Control(mpsc::Sender<Command>);

/// Where the commands arrive.
#[derive(Debug)]
pub struct Commands(mpsc::Receiver<Command>);

/// Both ends.
pub fn control() -> (Control, Commands) {
    let (sender, receiver) = mpsc::channel(COMMANDS);
    (Control(sender), Commands(receiver))
}

impl Control {
    /// We restart: announces our absence to every far side whose session's settings have one, and then
    /// says nothing more to it, so that it does not notice. Returns what was announced, once it has
    /// been; nothing where there is no BFD. It takes three packets, or as many until there is an
    /// answer: the caller bounds the wait.
    ///
    /// TCP is to be closed after this. Sessions without an absence go on; [`Self::leave`] ends them.
    pub async fn hold_on(&self) -> Absences {
        self.ask(Command::HoldOn).await.unwrap_or_default()
    }

    /// We leave: tells every far side that is not held that we are administratively down, for as long
    /// as it might take to notice. Returns once that is over: the caller bounds the wait.
    pub async fn leave(&self) {
        self.ask(Command::Leave).await.unwrap_or_default();
    }

    async fn ask<T>(&self, command: fn(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.0.send(command(answer)).await.ok()?;
        answered.await.ok()
    }
}

impl Commands {
    pub(super) async fn receive(&mut self) -> Option<Command> {
        self.0.recv().await
    }
}
