//! Octets into messages and back.
//!
//! ```text
//! stream ─▶ Framer ─▶ Frame ─▶ decode ─▶ Message         what is received
//!              └────────┴──────── Err(Notification)      what it deserves instead
//! announce, withdraw, end_of_rib, Message::emit ─▶ Vec   what is sent
//! ```
//!
//! No octets can make this module panic. Whatever is wrong with them has one verdict: a NOTIFICATION
//! that ends the session, or, for attributes of an UPDATE, a [`Treatment`] after RFC 7606 with which
//! the session lives on. Memory is bounded by the length of the message.
//!
//! ```text
//! frame  error  notification                       header, codes, what ends a session
//! open  capability  role  session                  who talks, and what both can do
//! route_refresh                                    again, please
//! update  treatment  attribute  received           UPDATE as received, and its judgement
//! as_path  multiprotocol  nlri                     the attributes with a grammar of their own
//! pack  write                                      UPDATEs as sent
//! ```

mod as_path;
mod attribute;
mod capability;
mod error;
mod frame;
mod multiprotocol;
mod nlri;
mod notification;
mod open;
mod pack;
mod reader;
mod received;
mod role;
mod route_refresh;
mod session;
mod treatment;
mod update;
mod write;

pub use as_path::{AsPath, Segment, SegmentKind};
pub use attribute::AttributeType;
pub use capability::{Capability, Forwarding, GracefulRestart, NextHopEncoding};
pub use error::Error;
pub use frame::{Frame, Framer, MessageType};
pub use multiprotocol::NextHop;
pub use notification::{Notification, ShutdownTextError};
pub use open::Open;
pub use pack::{EmitError, PathAttributes, announce, end_of_rib, withdraw};
pub use received::{Aggregator, Origin, ReceivedAttributes, UnknownAttribute};
pub use role::Role;
pub use route_refresh::{RefreshSubtype, RouteRefresh};
pub use session::Session;
pub use treatment::Treatment;
pub use update::Update;

/// A message of BGP-4.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and gone before the next is read"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// RFC 4271 §4.2.
    Open(Open),
    /// RFC 4271 §4.3.
    Update(Update),
    /// RFC 4271 §4.5.
    Notification(Notification),
    /// RFC 4271 §4.4.
    Keepalive,
    /// RFC 2918.
    RouteRefresh(RouteRefresh),
}

/// Reads a frame. Before there is a session, an UPDATE is read as RFC 4271 alone has it.
///
/// # Errors
/// What has to be sent before the session is closed.
pub fn decode(frame: &Frame, session: Option<&Session>) -> Result<Message, Notification> {
    let plain = Session::default();
    let session = session.unwrap_or(&plain);
    let body = frame.body.as_ref();
    match frame.kind {
        MessageType::Open => Open::parse(body).map(Message::Open),
        MessageType::Update => Update::parse(body, session).map(Message::Update),
        MessageType::Notification => Ok(Message::Notification(Notification::parse(body))),
        MessageType::Keepalive => Ok(Message::Keepalive),
        MessageType::RouteRefresh => RouteRefresh::parse(body, session).map(Message::RouteRefresh),
    }
}

impl Message {
    /// Appends the message. Of an UPDATE nothing is written if it does not fit into one message of
    /// the session; [`Update::emit`] says so, and [`announce`] splits.
    pub fn emit(&self, session: Option<&Session>, out: &mut Vec<u8>) {
        let plain = Session::default();
        match self {
            Self::Open(open) => open.emit(out),
            Self::Update(update) => {
                let session = session.unwrap_or(&plain);
                if update.emit(session, out).is_err() {
                    debug_assert!(
                        false,
                        "an UPDATE that does not fit; it should have been split"
                    );
                }
            }
            Self::Notification(notification) => notification.emit(out),
            Self::Keepalive => frame::emit(MessageType::Keepalive, out, |_| {}),
            Self::RouteRefresh(refresh) => refresh.emit(out),
        }
    }
}
