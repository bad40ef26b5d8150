//! Which answer a frame gets. Pure in the segment's state: time and budgets come after it.

use std::net::IpAddr;

use super::{DropCause, Segment};
use crate::arp::{self, Operation};
use crate::ethernet::{self, EtherType, Ethernet};
use crate::ndp::{self, ParseSolicitationError};
use crate::{Frame, Mac};

/// The station that asked, and the frame that it gets.
type Answer = (Mac, Frame);

impl Segment {
    /// The answer to a frame, if it asks for a VIP of ours in a valid way.
    pub(super) fn answer_to(&self, frame: &[u8]) -> Result<Answer, DropCause> {
        if !self.link.up {
            return Err(DropCause::LinkDown);
        }
        let ethernet = ethernet::parse(frame).map_err(|_| DropCause::Ethernet)?;
        if ethernet.source == self.link.mac {
            return Err(DropCause::OwnFrame);
        }
        match ethernet.ethertype {
            EtherType::Arp => self.answer_arp(&ethernet),
            EtherType::Ipv6 => self.answer_solicitation(&ethernet),
        }
    }

    /// RFC 826's reception, and RFC 5227 §2.1.1: probes (sender 0.0.0.0) are answered like any
    /// request. A request whose sender says it has the target itself is an announcement.
    fn answer_arp(&self, ethernet: &Ethernet<'_>) -> Result<Answer, DropCause> {
        let to_us = [Mac::BROADCAST, self.link.mac].contains(&ethernet.destination);
        if !to_us {
            return Err(DropCause::OtherDestination);
        }
        let request = arp::parse(ethernet.payload).map_err(|_| DropCause::InvalidArp)?;
        if request.sender_hardware == self.link.mac {
            return Err(DropCause::OwnFrame);
        }
        let vip = request.target_protocol;
        if request.operation == Operation::Reply || request.sender_protocol == vip {
            return Err(DropCause::NoQuestion);
        }
        self.owned(IpAddr::V4(vip))?;
        Ok((ethernet.source, arp::reply(self.link.mac, vip, &request)))
    }

    /// RFC 4861 §7.2.3 and §7.2.4. An asker that uses the target as its own address asks nothing.
    fn answer_solicitation(&self, ethernet: &Ethernet<'_>) -> Result<Answer, DropCause> {
        let solicitation = ndp::parse(ethernet.payload).map_err(|error| {
            if error == ParseSolicitationError::Other {
                DropCause::NoQuestion
            } else {
                DropCause::InvalidSolicitation
            }
        })?;
        let group = solicitation.destination;
        let to_us = ethernet.destination == self.link.mac
            || (group.is_multicast() && ethernet.destination == Mac::of_group(group));
        if !to_us {
            return Err(DropCause::OtherDestination);
        }
        if solicitation.source_link_layer == Some(self.link.mac) {
            return Err(DropCause::OwnFrame);
        }
        if solicitation.source == solicitation.target {
            return Err(DropCause::NoQuestion);
        }
        let vip = solicitation.target;
        self.owned(IpAddr::V6(vip))?;
        let answer = ndp::answer(self.link.mac, vip, ethernet.source, &solicitation);
        Ok((ethernet.source, answer))
    }

    fn owned(&self, vip: IpAddr) -> Result<(), DropCause> {
        if self.vips.contains(&vip) {
            Ok(())
        } else {
            Err(DropCause::OtherAddress)
        }
    }
}
