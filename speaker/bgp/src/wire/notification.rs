//! NOTIFICATION, RFC 4271 §4.5: why a session ends.

use std::fmt;

use bytes::Bytes;
use thiserror::Error as ThisError;

use super::Error;
use super::frame::{self, HEADER, MAXIMUM, MessageType};
use super::reader::Reader;
use crate::AfiSafi;

/// What fits behind the two codes of a message that is not extended. What a peer has sent us is
/// echoed no further.
const DATA: usize = MAXIMUM - HEADER - 2;

/// RFC 9003 §2: the longest text.
const TEXT: usize = 255;

/// An error with its data, sent or received. Codes that have no name are kept as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    code: u8,
    subcode: u8,
    data: Bytes,
}

/// Why there is no text to be read in a shutdown or reset, RFC 9003 §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum ShutdownTextError {
    /// The length counts more octets than came.
    #[error("shutdown text claims {claimed} octets, {available} came")]
    Length {
        /// The text's own length field.
        claimed: usize,
        /// What stands behind it.
        available: usize,
    },
    /// Not UTF-8.
    #[error("shutdown text is not UTF-8")]
    Encoding,
}

impl Notification {
    /// Without data.
    pub fn new(error: Error) -> Self {
        let (code, subcode) = error.codes();
        Self {
            code,
            subcode,
            data: Bytes::new(),
        }
    }

    /// The same with data, which is copied and cut to what one message holds.
    #[must_use]
    pub fn with_data(self, data: &[u8]) -> Self {
        let data = data.get(..DATA).unwrap_or(data);
        Self {
            data: Bytes::copy_from_slice(data),
            ..self
        }
    }

    /// RFC 9003 §2: the same with a text for the neighbour's operator, cut to 255 octets at the end
    /// of a character. Meant for an administrative shutdown or reset.
    #[must_use]
    pub fn with_text(self, text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(TEXT)).unwrap_or(text);
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.with_data(&[&[length], text.as_bytes()].concat())
    }

    /// RFC 4486 §4: more prefixes of a family came than are allowed.
    pub fn maximum_prefixes(family: AfiSafi, limit: u32) -> Self {
        let mut data = family.afi.to_be_bytes().to_vec();
        data.push(family.safi);
        data.extend_from_slice(&limit.to_be_bytes());
        Self::new(Error::MaximumPrefixes).with_data(&data)
    }

    /// RFC 8538 §3: the same error, but as a hard reset, so that nothing is kept.
    #[must_use]
    pub fn into_hard_reset(self) -> Self {
        let data = [&[self.code, self.subcode], self.data.as_ref()].concat();
        Self::new(Error::HardReset).with_data(&data)
    }

    /// The error by name, if it has one.
    pub fn error(&self) -> Option<Error> {
        Error::from_codes(self.code, self.subcode)
    }

    /// Error code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Error subcode.
    pub fn subcode(&self) -> u8 {
        self.subcode
    }

    /// What follows the codes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// RFC 8538 §3: what a hard reset carries; none if it is no hard reset or carries nothing.
    pub fn hard_reset_reason(&self) -> Option<Self> {
        let mut reader = Reader::new(&self.data);
        if self.error() != Some(Error::HardReset) {
            return None;
        }
        let [code, subcode] = reader.array()?;
        Some(Self {
            code,
            subcode,
            data: Bytes::copy_from_slice(reader.rest()),
        })
    }

    /// RFC 9003 §2: the text of an administrative shutdown or reset, if there is one. It comes from
    /// outside: show it escaped only, as `Display` does.
    ///
    /// # Errors
    /// A length beyond the data, or octets that are not UTF-8.
    pub fn shutdown_text(&self) -> Result<Option<&str>, ShutdownTextError> {
        let texted = [Error::AdministrativeShutdown, Error::AdministrativeReset];
        let Some((length, text)) = self.data.split_first() else {
            return Ok(None);
        };
        if !self.error().is_some_and(|error| texted.contains(&error)) || *length == 0 {
            return Ok(None);
        }
        let claimed = usize::from(*length);
        let available = text.len();
        let text = text
            .get(..claimed)
            .ok_or(ShutdownTextError::Length { claimed, available })?;
        let text = str::from_utf8(text).map_err(|_| ShutdownTextError::Encoding)?;
        Ok(Some(text))
    }

    /// RFC 4271 §4.5. There is nothing to refuse: RFC 4271 §6.4 forbids an answer to it.
    pub(super) fn parse(body: &[u8]) -> Self {
        let mut reader = Reader::new(body);
        Self {
            code: reader.u8().unwrap_or(0),
            subcode: reader.u8().unwrap_or(0),
            data: Bytes::copy_from_slice(reader.rest()),
        }
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        frame::emit(MessageType::Notification, out, |out| {
            out.extend_from_slice(&[self.code, self.subcode]);
            out.extend_from_slice(self.data.get(..DATA).unwrap_or(&self.data));
        });
    }
}

impl From<Error> for Notification {
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

impl std::error::Error for Notification {}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error() {
            Some(error) => error.fmt(f)?,
            None => write!(f, "error code {} subcode {}", self.code, self.subcode)?,
        }
        if let Some(reason) = self.hard_reset_reason() {
            // What it carries is never a hard reset of its own in good faith; one level is told.
            match reason.error() {
                Some(error) => write!(f, " for {error}")?,
                None => write!(
                    f,
                    " for error code {} subcode {}",
                    reason.code, reason.subcode
                )?,
            }
            return reason.write_text(f);
        }
        self.write_text(f)
    }
}

impl Notification {
    fn write_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shutdown_text() {
            Ok(Some(text)) => write!(f, ": \"{}\"", text.escape_debug()),
            Ok(None) => Ok(()),
            Err(error) => write!(f, " ({error})"),
        }
    }
}

#[cfg(test)]
mod tests;
