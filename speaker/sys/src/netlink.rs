//! The interfaces of this network namespace, followed by netlink's notifications: nothing is
//! polled.
//!
//! ```text
//! kernel ──notifications──▶ Table ──differs from the last?──▶ Vec<Interface>
//!    ▲                        │
//!    └──dump: at first, after lost notifications; routes: when they may have changed
//! ```

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enums of the netlink crates grow with the kernel; what is unknown does not matter"
)]

mod interface;
mod table;

use std::io;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt};
use libc::c_int;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::route::RouteMessage;
use netlink_proto::sys::{AsyncSocket, SocketAddr};
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::{Handle, MulticastGroup};
use thiserror::Error;
use tokio::task::JoinHandle;

use table::{Routes, Table};

pub use interface::{Interface, Kind};

/// Room for some thousand notifications; the kernel caps it at `net.core.rmem_max`.
const RECEIVE_BUFFER: c_int = 1024 * 1024;

/// A dump that changes overtook is incomplete and repeated, but not for ever: what a last,
/// overtaken one says is put right by the notifications of those changes.
const DUMP_ATTEMPTS: u32 = 5;

const GROUPS: [MulticastGroup; 5] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// Follows links, addresses and default routes. Needs no privilege.
#[derive(Debug)]
pub struct Monitor {
    handle: Handle,
    notifications: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    connection: JoinHandle<()>,
    table: Table,
    stale: Stale,
    published: Option<Vec<Interface>>,
}

/// What must be read anew before the table can be believed, each including those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stale {
    Nothing,
    Routes,
    Everything,
}

/// Why the monitor could not be opened.
#[derive(Debug, Error)]
#[error("failed to open a netlink socket to follow the interfaces")]
pub struct OpenMonitorError(#[source] io::Error);

/// Why the monitor does not go on. Another may be opened.
#[derive(Debug, Error)]
pub enum MonitorError {
    /// The socket failed.
    #[error("the netlink socket was closed")]
    Closed,
    /// The kernel refused to list its objects.
    #[error("failed to list {what} by netlink")]
    Dump {
        /// What was to be listed.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Monitor {
    /// Subscribes; must be called within a tokio runtime, which then also reads the socket.
    pub fn open() -> Result<Self, OpenMonitorError> {
        let (mut connection, handle, notifications) =
            rtnetlink::new_multicast_connection(&GROUPS).map_err(OpenMonitorError)?;
        // The end of a dump, too, says whether changes overtook it.
        connection.set_forward_done(true);
        connection
            .socket_mut()
            .socket_mut()
            .set_rx_buf_sz(RECEIVE_BUFFER)
            .map_err(OpenMonitorError)?;
        Ok(Self {
            handle,
            notifications,
            connection: tokio::spawn(connection),
            table: Table::default(),
            stale: Stale::Everything,
            published: None,
        })
    }

    /// All interfaces, by name: at once when called first, then whenever anything that
    /// [`Interface`] shows has changed. Notifications that come together are taken together.
    ///
    /// Cancel safe, but a caller that cancels again and again keeps lists from being finished.
    pub async fn changed(&mut self) -> Result<Vec<Interface>, MonitorError> {
        loop {
            self.refresh().await?;
            let interfaces = self.table.interfaces();
            if self.published.as_ref() != Some(&interfaces) {
                self.published = Some(interfaces.clone());
                return Ok(interfaces);
            }
            let notification = self.notifications.next().await;
            self.take(notification)?;
        }
    }

    /// Reads anew what is stale, until all notifications that have arrived are taken in.
    async fn refresh(&mut self) -> Result<(), MonitorError> {
        loop {
            while let Some(notification) = self.notifications.next().now_or_never() {
                self.take(notification)?;
            }
            match self.stale {
                Stale::Nothing => return Ok(()),
                Stale::Routes => self.read_routes().await?,
                Stale::Everything => self.read_everything().await?,
            }
            self.stale = Stale::Nothing;
        }
    }

    fn take(
        &mut self,
        notification: Option<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    ) -> Result<(), MonitorError> {
        let (message, _) = notification.ok_or(MonitorError::Closed)?;
        match message.payload {
            NetlinkPayload::InnerMessage(message) => {
                let stale = match self.table.apply(&message) {
                    Routes::Known => Stale::Nothing,
                    Routes::Stale => Stale::Routes,
                };
                self.stale = self.stale.max(stale);
            }
            NetlinkPayload::Overrun(_) => {
                tracing::debug!("netlink notifications were lost, reading everything anew");
                self.stale = Stale::Everything;
            }
            _ => {}
        }
        Ok(())
    }

    async fn read_everything(&mut self) -> Result<(), MonitorError> {
        let mut link = LinkMessage::default();
        let no_statistics = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        link.attributes.push(no_statistics);
        let link = RouteNetlinkMessage::GetLink(link);
        let links = self.dump("links", link).await?;
        let addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let addresses = self.dump("addresses", addresses).await?;
        self.table = Table::default();
        for message in links.iter().chain(&addresses) {
            self.table.apply(message);
        }
        self.read_routes().await
    }

    async fn read_routes(&mut self) -> Result<(), MonitorError> {
        let routes = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        let routes = self.dump("routes", routes).await?;
        self.table.set_routes(routes.iter());
        Ok(())
    }

    async fn dump(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, MonitorError> {
        let mut attempt = 1;
        loop {
            let (messages, completeness) = self.dump_once(what, request.clone()).await?;
            if completeness == Completeness::Whole || attempt == DUMP_ATTEMPTS {
                return Ok(messages);
            }
            attempt += 1;
        }
    }

    async fn dump_once(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
    ) -> Result<(Vec<RouteNetlinkMessage>, Completeness), MonitorError> {
        let mut request = NetlinkMessage::from(request);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut replies = self
            .handle
            .request(request)
            .map_err(|_| MonitorError::Closed)?;
        let mut messages = Vec::new();
        let mut completeness = Completeness::Whole;
        while let Some(reply) = replies.next().await {
            if reply.header.flags & NLM_F_DUMP_INTR != 0 {
                completeness = Completeness::Overtaken;
            }
            match reply.payload {
                NetlinkPayload::InnerMessage(message) => messages.push(message),
                NetlinkPayload::Error(error) => {
                    let source = error.to_io();
                    return Err(MonitorError::Dump { what, source });
                }
                _ => {}
            }
        }
        Ok((messages, completeness))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Whole,
    Overtaken,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn first_list_names_the_loopback_interface() {
        let mut monitor = Monitor::open().expect("opened");
        let interfaces = monitor.changed().await.expect("listed");
        let loopback: Vec<_> = interfaces
            .iter()
            .filter(|interface| interface.kind == Kind::Loopback)
            .map(|interface| (interface.name.as_str(), interface.mac))
            .collect();
        assert_eq!(loopback, [("lo", None)]);
    }

    #[tokio::test]
    async fn lost_notifications_lead_to_a_new_list() {
        let mut monitor = Monitor::open().expect("opened");
        let interfaces = monitor.changed().await.expect("listed");
        monitor.table = Table::default();
        let overrun = NetlinkMessage::new(
            rtnetlink::packet_core::NetlinkHeader::default(),
            NetlinkPayload::Overrun(Vec::new()),
        );
        monitor
            .take(Some((overrun, SocketAddr::new(0, 0))))
            .expect("taken");
        monitor.refresh().await.expect("read anew");
        assert_eq!(monitor.table.interfaces(), interfaces);
    }
}
