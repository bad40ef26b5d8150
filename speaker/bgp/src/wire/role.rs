//! BGP roles, RFC 9234.

/// What the sender of an OPEN is to the other side, RFC 9234 §4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Sells transit to the other side.
    Provider = 0,
    /// A route server.
    RouteServer = 1,
    /// A client of a route server.
    RouteServerClient = 2,
    /// Buys transit from the other side.
    Customer = 3,
    /// Neither.
    Peer = 4,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::Provider,
        Self::RouteServer,
        Self::RouteServerClient,
        Self::Customer,
        Self::Peer,
    ];

    /// The role of this number.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| *role as u8 == code)
    }

    /// RFC 9234 §4.2: what the other side has to be.
    #[must_use]
    pub fn counterpart(self) -> Self {
        match self {
            Self::Provider => Self::Customer,
            Self::RouteServer => Self::RouteServerClient,
            Self::RouteServerClient => Self::RouteServer,
            Self::Customer => Self::Provider,
            Self::Peer => Self::Peer,
        }
    }

    /// RFC 9234 §5: whether a route that we tell the other side must go to its customers only.
    pub fn marks_only_to_customer(self) -> bool {
        match self {
            Self::Provider | Self::RouteServer | Self::Peer => true,
            Self::Customer | Self::RouteServerClient => false,
        }
    }
}
