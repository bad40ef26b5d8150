//! A script of inputs: whatever happens in whatever order, the peer has two connections at most,
//! speaks only on those that are open, and never says more at once than is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seamark_fuzz::peer;

fuzz_target!(|script: &[u8]| peer::play(script));
