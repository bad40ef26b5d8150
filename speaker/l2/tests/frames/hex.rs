//! Golden frames: written out by hand from the layouts in the RFCs, one field a line.

use std::path::Path;

/// The octets in `tests/golden/NAME.hex`; what follows a `#` is comment.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = std::fs::read_to_string(folder.join(name).with_extension("hex"))
        .expect("the file is there");
    let fields = text.lines().filter_map(|line| line.split('#').next());
    let digits: Vec<u32> = fields
        .flat_map(str::chars)
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits"))
        .collect()
}
