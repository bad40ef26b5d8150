//! The number by which the kernel knows an interface.

use std::fmt;

use libc::c_int;

/// An interface's index: positive and within the kernel's `int`. Zero, which to a packet socket
/// means "every interface", cannot be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceIndex(c_int);

impl InterfaceIndex {
    /// `None` for what cannot be one interface's index.
    pub fn new(index: u32) -> Option<Self> {
        let index = c_int::try_from(index).ok()?;
        (index > 0).then_some(Self(index))
    }

    /// The bare number.
    pub fn get(self) -> u32 {
        self.0.unsigned_abs()
    }

    pub(crate) fn as_c_int(self) -> c_int {
        self.0
    }
}

impl fmt::Display for InterfaceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_zero_nor_more_than_an_int_is_an_index() {
        assert_eq!(InterfaceIndex::new(0), None);
        assert_eq!(InterfaceIndex::new(1 << 31), None);
        assert_eq!(InterfaceIndex::new(7).map(InterfaceIndex::get), Some(7));
    }
}
