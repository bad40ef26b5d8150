//! The codec from outside: octets in, verdicts out; what we write, read back by us and by others.
//!
//! ```text
//! kit          messages put together by hand, not by the codec under test
//! corpus       valid messages of every kind
//! round_trip   decode ∘ emit is the identity                         (property)
//! packing      what announce and withdraw write                      (property)
//! hostile      the corpus cut and corrupted at every place
//! rfc*         one test for each rule, its section named
//! cves         what has broken other speakers
//! oracles      two foreign decoders read what we write
//! ```

#[cfg(test)]
mod any;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod cves;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod packing;
#[cfg(test)]
mod rfc4271;
#[cfg(test)]
mod rfc4760;
#[cfg(test)]
mod rfc6793;
#[cfg(test)]
mod rfc7606;
#[cfg(test)]
mod round_trip;
