//! A script of inputs: whatever happens in whatever order, a session says no more than it may, and
//! never more than two packets for one input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seamark_fuzz::bfd_session;

fuzz_target!(|script: &[u8]| bfd_session::play(script));
