//! Any octets as a stream: no panic, sound verdicts, and the same messages however it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seamark_fuzz::wire::{check, read_stream, session};

fuzz_target!(|input: &[u8]| {
    let Some((bits, stream)) = input.split_first() else {
        return;
    };
    let session = session(*bits);
    let whole = read_stream(stream, stream.len(), &session);
    whole.iter().for_each(|read| check(read, &session));
    for piece in [1, 7, 19] {
        assert_eq!(read_stream(stream, piece, &session), whole);
    }
});
