//! Octets into messages and back.
