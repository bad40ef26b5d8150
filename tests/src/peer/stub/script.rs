//! One connection of a stub, from its first byte to its last.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::poll::PollFlags;
use socket2::SockRef;

use super::wire::{self, Message};
use super::{GLANCE, Manner, Shared, wait};

/// No more is written into the outbox while so much waits in it.
const FULL: usize = 256 * 1024;

/// Play the stub's part on a connection until either side ends it.
pub(super) fn play(stream: TcpStream, shared: &Shared) -> Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    // Whatever way it ends, it ends at once and leaves nothing in the kernel.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let mut part = Part {
        stream,
        shared,
        inbox: Vec::new(),
        outbox: Vec::new(),
        is_open_heard: false,
        session: None,
        next_keepalive: Instant::now(),
        flooded: [0, 0],
    };
    part.greet();
    while !shared.is_stopped() {
        part.turn()?;
    }
    Ok(())
}

struct Part<'a> {
    stream: TcpStream,
    shared: &'a Shared,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    is_open_heard: bool,
    /// Since when both sides have said OPEN and KEEPALIVE.
    session: Option<Instant>,
    next_keepalive: Instant,
    /// Prefixes announced so far, IPv4 and IPv6.
    flooded: [u32; 2],
}

impl Part<'_> {
    fn greet(&mut self) {
        match &self.shared.manner {
            Manner::Mute | Manner::Babbling => {}
            Manner::Civil
            | Manner::Saying(_)
            | Manner::Deaf
            | Manner::Flooding(_)
            | Manner::Fickle(_) => {
                let own = self.shared.identity;
                let open = wire::open(own.asn, own.router_id, own.hold_time);
                self.outbox.extend(open);
            }
        }
    }

    /// Wait for what comes next, read, write, and do what is due.
    fn turn(&mut self) -> Result<()> {
        let mut wanted = PollFlags::empty();
        if self.hears() {
            wanted |= PollFlags::POLLIN;
        }
        if !self.outbox.is_empty() {
            wanted |= PollFlags::POLLOUT;
        }
        let ready = wait(&self.stream, wanted, GLANCE)?;
        if ready.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) {
            bail!("the other side is gone");
        }
        if self.hears() && ready.contains(PollFlags::POLLIN) {
            self.read()?;
        }
        self.write()?;
        self.due()
    }

    fn hears(&self) -> bool {
        !(self.shared.manner == Manner::Deaf && self.session.is_some())
    }

    fn read(&mut self) -> Result<()> {
        let mut part = [0; 65_536];
        match self.stream.read(&mut part) {
            Ok(0) => bail!("the other side has ended"),
            Ok(length) => self.inbox.extend(part.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("reading"),
        }
        while let Some(message) = wire::cut(&mut self.inbox) {
            self.hear(&message);
        }
        Ok(())
    }

    fn hear(&mut self, message: &Message) {
        self.shared.note(|heard| match message.kind {
            wire::OPEN => heard.opens += 1,
            wire::UPDATE => {
                heard.updates += 1;
                let (told, withdrawn) = wire::prefixes(&message.body);
                heard.told += told;
                heard.withdrawn += withdrawn;
                if told + withdrawn > 0 {
                    heard.last_told = Some(Instant::now());
                }
            }
            wire::KEEPALIVE => heard.keepalives += 1,
            wire::ROUTE_REFRESH => heard.route_refreshes += 1,
            wire::NOTIFICATION => {
                heard.notifications += 1;
                if let [code, subcode, ..] = message.body.as_slice() {
                    heard.last_notification = Some((*code, *subcode));
                }
            }
            _ => {}
        });
        match self.shared.manner {
            Manner::Mute | Manner::Babbling => return,
            Manner::Civil
            | Manner::Saying(_)
            | Manner::Deaf
            | Manner::Flooding(_)
            | Manner::Fickle(_) => {}
        }
        if message.kind == wire::OPEN {
            self.is_open_heard = true;
            self.keep_alive();
            self.shared.note(|heard| heard.since = Some(Instant::now()));
        }
        let begins = message.kind == wire::KEEPALIVE && self.is_open_heard;
        if begins && self.session.is_none() {
            self.session = Some(Instant::now());
            self.shared.note(|heard| heard.sessions += 1);
            if let Manner::Saying(bytes) = &self.shared.manner {
                self.outbox.extend(bytes);
            }
        }
    }

    fn write(&mut self) -> Result<()> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.outbox) {
            Ok(length) => {
                self.outbox.drain(..length);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("writing"),
        }
    }

    fn due(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.is_open_heard && now >= self.next_keepalive {
            self.keep_alive();
        }
        match self.shared.manner {
            Manner::Babbling => {
                // Neither a marker nor a length that could be one.
                if self.outbox.len() < FULL {
                    self.outbox.extend([0xa5; 4096]);
                }
            }
            Manner::Flooding(count) if self.session.is_some() => self.flood(count),
            Manner::Fickle(patience) => {
                if let Some(since) = self.session
                    && since + patience <= now
                {
                    bail!("enough");
                }
            }
            Manner::Flooding(_)
            | Manner::Civil
            | Manner::Mute
            | Manner::Saying(_)
            | Manner::Deaf => {}
        }
        Ok(())
    }

    fn keep_alive(&mut self) {
        self.outbox.extend(wire::keepalive());
        let third = u64::from(self.shared.identity.hold_time / 3).max(1);
        self.next_keepalive = Instant::now() + Duration::from_secs(third);
    }

    fn flood(&mut self, count: u32) {
        for (done, next_hop) in self.flooded.iter_mut().zip(self.shared.next_hops) {
            while *done < count && self.outbox.len() < FULL {
                let asn = self.shared.identity.asn;
                let (message, announced) = wire::announce(asn, next_hop, *done, count - *done);
                self.outbox.extend(message);
                *done += announced;
                let announced = u64::from(announced);
                self.shared.note(|heard| heard.announced += announced);
            }
        }
    }
}
