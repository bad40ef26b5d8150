//! Checksums, as `sha256sum -c` reads them.

use std::path::Path;

use anyhow::{Context, Result};
use ring::digest::{SHA256, digest};

/// The SHA-256 of some octets, in hexadecimal.
pub fn sha256(octets: &[u8]) -> String {
    let sum = digest(&SHA256, octets);
    sum.as_ref()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

/// A line for each file of a folder, in order.
pub fn of_folder(folder: &Path) -> Result<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().into_string();
        names.push(name.ok().context("a file name is no UTF-8")?);
    }
    names.sort_unstable();
    let line = |name: &String| {
        let octets = std::fs::read(folder.join(name))?;
        Ok(format!("{}  {name}\n", sha256(&octets)))
    };
    names.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_nothing_is_the_one_in_the_standard() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), of_nothing);
    }
}
