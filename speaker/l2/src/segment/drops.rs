//! Frames that led to nothing, counted by cause.

/// Why a frame was not answered (or an answer not sent).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropCause {
    /// The link is down; what still arrives was queued before.
    LinkDown,
    /// Truncated Ethernet header, a source that is no station, VLAN-tagged, neither ARP nor IPv6.
    Ethernet,
    /// To another station, or to a group that the VIP asked for is not in.
    OtherDestination,
    /// Sent by this interface, or by somebody with its address.
    OwnFrame,
    /// Malformed ARP.
    InvalidArp,
    /// A neighbor solicitation that RFC 4861 §7.1.1 refuses.
    InvalidSolicitation,
    /// No question: an ARP reply or announcement, another IPv6 packet.
    NoQuestion,
    /// A question about an address that is not announced here; the usual one.
    OtherAddress,
    /// The asker has had its share of answers.
    OverBudget,
    /// The driver has not polled.
    OutboxFull,
}

impl DropCause {
    /// Each cause once, in order.
    pub const ALL: [Self; 10] = [
        Self::LinkDown,
        Self::Ethernet,
        Self::OtherDestination,
        Self::OwnFrame,
        Self::InvalidArp,
        Self::InvalidSolicitation,
        Self::NoQuestion,
        Self::OtherAddress,
        Self::OverBudget,
        Self::OutboxFull,
    ];

    /// The label's value in metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::LinkDown => "link_down",
            Self::Ethernet => "ethernet",
            Self::OtherDestination => "other_destination",
            Self::OwnFrame => "own_frame",
            Self::InvalidArp => "invalid_arp",
            Self::InvalidSolicitation => "invalid_solicitation",
            Self::NoQuestion => "no_question",
            Self::OtherAddress => "other_address",
            Self::OverBudget => "over_budget",
            Self::OutboxFull => "outbox_full",
        }
    }
}

/// One counter for each cause.
#[derive(Debug, Default)]
pub(super) struct Drops([u64; DropCause::ALL.len()]);

impl Drops {
    pub(super) fn add(&mut self, cause: DropCause) {
        if let Some(count) = self.0.get_mut(cause as usize) {
            *count += 1;
        }
    }

    pub(super) fn count(&self, cause: DropCause) -> u64 {
        self.0.get(cause as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_counter_and_label() {
        let mut drops = Drops::default();
        for (times, cause) in DropCause::ALL.into_iter().enumerate() {
            (0..=times).for_each(|_| drops.add(cause));
        }
        let counts = DropCause::ALL.map(|cause| drops.count(cause));
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

        let mut reasons = DropCause::ALL.map(DropCause::reason).to_vec();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), DropCause::ALL.len());
    }
}
