//! A script of inputs: whatever happens in whatever order, the segment speaks only for desired
//! VIPs, only while its link is up, and is a member of the right groups.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seamark_fuzz::script;

fuzz_target!(|script: &[u8]| script::play(script));
