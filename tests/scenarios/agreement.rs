//! Who speaks for addresses of the pools on the segment, asked or overheard, and whether that agrees
//! with what Services show.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::probe::Ear;
use lab::{Lab, Mac, Packet, eventually};

use crate::history::World;
use crate::vips::SOON;

/// Wait until status, ledger and segment agree: what Services show is in the ledger and is answered,
/// each address by one node, and nothing else of the pools is.
pub(crate) fn expect_agreement(lab: &Lab) -> Result<()> {
    eventually(SOON, "status, ledger and segment agree", || {
        let world = World::now(lab)?;
        world.expect_settled()?;
        let (answers, shown) = (who_answers(lab)?, world.shown());
        let answered: BTreeSet<IpAddr> = answers.keys().copied().collect();
        ensure!(
            answered == shown,
            "{answered:?} are answered, {shown:?} shown"
        );
        expect_one_each(&answers)
    })
}

/// The lower part of both pools, from which addresses are given.
fn pool() -> BTreeSet<IpAddr> {
    let v4 = (200..240).map(|last| IpAddr::from([10, 99, 0, last]));
    let v6 = (0x200..0x228).map(|last| IpAddr::from([0xfd99, 0, 0, 0, 0, 0, 0, last]));
    v4.chain(v6).collect()
}

/// Who spoke for each address.
type Answers = BTreeMap<IpAddr, BTreeSet<Mac>>;

/// Who answers for addresses of the pools, each asked thrice.
fn who_answers(lab: &Lab) -> Result<Answers> {
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    let pool = pool();
    let mut answers = Answers::new();
    for _ in 0..3 {
        pool.iter().try_for_each(|vip| ear.ask(*vip))?;
        let end = Instant::now() + Duration::from_millis(50);
        while let Some((vip, mac, _)) = ear.next_answer(end)? {
            if pool.contains(&vip) {
                answers.entry(vip).or_default().insert(mac);
            }
        }
    }
    Ok(answers)
}

/// All that was said on the segment for an address of the pools was said by one node: the nodes
/// were healthy all the time, and only their speakers were away.
pub(crate) fn expect_one_speaks(packets: &[Packet]) -> Result<()> {
    let (pool, mut answers) = (pool(), Answers::new());
    for (vip, mac) in packets.iter().filter_map(Packet::speaks_for) {
        if pool.contains(&vip) {
            answers.entry(vip).or_default().insert(mac);
        }
    }
    ensure!(
        !answers.is_empty(),
        "{} packets, and no answer",
        packets.len()
    );
    expect_one_each(&answers)
}

fn expect_one_each(answers: &Answers) -> Result<()> {
    for (vip, macs) in answers {
        ensure!(macs.len() == 1, "{macs:?} speak for {vip}");
    }
    Ok(())
}
