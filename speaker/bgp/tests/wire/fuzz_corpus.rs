//! The seeds of the fuzz targets are the messages of our corpus. With SEAMARK_BLESS=1 the files are
//! written, without it they have to be there as they would be written.
//!
//! The first octet of an input says what was negotiated; the fuzz targets read it so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use bgp::Family;
use bgp::wire::Session;

use crate::corpus::{Case, corpus};

/// One bit for each thing that the fuzz targets vary.
fn octet(session: &Session) -> u8 {
    let bits = [
        !session.ebgp,
        !session.four_octet_as,
        session.extended_message,
        session.extended_next_hop,
        session.enhanced_route_refresh,
        !session.families.contains(Family::Ipv4Unicast),
        !session.families.contains(Family::Ipv6Unicast),
    ];
    let numbers = bits.iter().enumerate();
    numbers.map(|(at, bit)| u8::from(*bit) << at).sum()
}

/// Each target's seeds by their names.
fn seeds() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    let mut add = |target: &str, name: &str, octets: Vec<u8>| {
        seeds.insert(Path::new(target).join(name), octets);
    };
    for Case {
        name,
        session,
        octets,
    } in corpus()
    {
        let with_session = |octets: &[u8]| [&[octet(&session)], octets].concat();
        add("bgp_stream", name, with_session(&octets));
        match octets[18] {
            1 => add("bgp_open", name, octets[19..].to_vec()),
            2 => add("bgp_update", name, with_session(&octets[19..])),
            _ => {}
        }
    }
    seeds
}

#[test]
fn the_seeds_of_the_fuzz_targets_are_our_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    for (path, octets) in seeds() {
        let file = root.join(&path);
        if env::var_os("SEAMARK_BLESS").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &octets).unwrap();
        }
        let found = fs::read(&file).unwrap_or_default();
        assert_eq!(
            found,
            octets,
            "{} is stale; SEAMARK_BLESS=1 writes it",
            path.display()
        );
    }
}
