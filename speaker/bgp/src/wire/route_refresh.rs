//! ROUTE-REFRESH, RFC 2918 and RFC 7313.

use super::frame::{self, HEADER, MessageType};
use super::reader::Reader;
use super::{Error, Notification, Session};
use crate::AfiSafi;

/// Send all routes of a family again, or the borders of such a sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteRefresh {
    /// Which routes.
    pub family: AfiSafi,
    /// What about them.
    pub subtype: RefreshSubtype,
}

/// RFC 7313 §3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshSubtype {
    /// 0: send them again. Without RFC 7313 on both sides every message means this.
    Request,
    /// 1, BoRR: they follow.
    BeginningOfRib,
    /// 2, EoRR: that was all of them.
    EndOfRib,
    /// RFC 7313 §5: to be ignored.
    Other(u8),
}

impl RefreshSubtype {
    fn code(self) -> u8 {
        match self {
            Self::Request => 0,
            Self::BeginningOfRib => 1,
            Self::EndOfRib => 2,
            Self::Other(code) => code,
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Request,
            1 => Self::BeginningOfRib,
            2 => Self::EndOfRib,
            other => Self::Other(other),
        }
    }
}

impl RouteRefresh {
    /// A request may be followed by octets of RFC 5291, which we never asked for; they are not
    /// looked at.
    ///
    /// # Errors
    /// RFC 7313 §5: a border that is not four octets long.
    pub(super) fn parse(body: &[u8], session: &Session) -> Result<Self, Notification> {
        let mut reader = Reader::new(body);
        let (Some(afi), Some(code), Some(safi)) = (reader.u16(), reader.u8(), reader.u8()) else {
            return Err(bad_length(body));
        };
        let subtype = if session.enhanced_route_refresh {
            RefreshSubtype::from_code(code)
        } else {
            RefreshSubtype::Request
        };
        let border = match subtype {
            RefreshSubtype::BeginningOfRib | RefreshSubtype::EndOfRib => true,
            RefreshSubtype::Request | RefreshSubtype::Other(_) => false,
        };
        if border && !reader.is_empty() {
            return Err(bad_length(body));
        }
        Ok(Self {
            family: AfiSafi { afi, safi },
            subtype,
        })
    }

    pub(super) fn emit(self, out: &mut Vec<u8>) {
        frame::emit(MessageType::RouteRefresh, out, |out| {
            out.extend_from_slice(&self.family.afi.to_be_bytes());
            out.extend_from_slice(&[self.subtype.code(), self.family.safi]);
        });
    }
}

/// RFC 7313 §5: the data is the whole message.
fn bad_length(body: &[u8]) -> Notification {
    let mut message = Vec::with_capacity(HEADER + body.len());
    frame::emit(MessageType::RouteRefresh, &mut message, |out| {
        out.extend_from_slice(body);
    });
    Notification::new(Error::InvalidRouteRefreshLength).with_data(&message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Family;

    fn enhanced() -> Session {
        Session {
            enhanced_route_refresh: true,
            ..Session::default()
        }
    }

    fn refresh(subtype: RefreshSubtype) -> RouteRefresh {
        RouteRefresh {
            family: Family::Ipv6Unicast.into(),
            subtype,
        }
    }

    /// RFC 7313 §5: other subtypes are ignored, so they are no error.
    #[test]
    fn a_subtype_that_is_not_known_is_told_and_no_error() {
        let parsed = RouteRefresh::parse(&[0, 2, 9, 1], &enhanced());
        assert_eq!(parsed, Ok(refresh(RefreshSubtype::Other(9))));
    }

    /// RFC 7313 §5.
    #[test]
    fn a_border_of_the_wrong_length_is_an_error_with_the_whole_message() {
        for code in [1, 2] {
            let body = [0, 2, code, 1, 0xaa];
            let notification = RouteRefresh::parse(&body, &enhanced()).unwrap_err();
            let message = [&[0xff; 16][..], &[0, 24, 5], &body].concat();
            assert_eq!((notification.code(), notification.subcode()), (7, 1));
            assert_eq!(notification.data(), message);
        }
    }

    /// RFC 2918 §3: without RFC 7313 the third octet is reserved.
    #[test]
    fn without_enhanced_refresh_every_message_is_a_request() {
        for code in [0, 1, 2, 77] {
            let parsed = RouteRefresh::parse(&[0, 2, code, 1, 0xaa], &Session::default());
            assert_eq!(parsed, Ok(refresh(RefreshSubtype::Request)));
        }
    }
}
