//! Processes of ours are killed at random moments while Services come and go: nothing that lives
//! may notice.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::capture::ARP_AND_ND;
use lab::eventually::throughout;
use lab::runner::{Scenario, seeds};
use lab::steps::step;
use lab::{Capture, Lab, Part, Prober};

use crate::agreement::{expect_agreement, expect_one_speaks};
use crate::history::{History, World};
use crate::vips::{Vips, begin, create, delete, vips};

/// Services that live through all of it; the others come and go.
const KEPT: usize = 3;
/// How often something is killed, with one seed.
const KILLS: usize = 5;
/// The longest time between a kill and the start after it, and between that and the next kill: a
/// process is met while it starts, while it reads, and when it is done.
const LONGEST_REST_MS: u64 = 500;
/// What a client that asks every 20 ms may miss of an address whose speaker lives, on a busy machine.
const GAP: Duration = Duration::from_millis(500);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let patient = Duration::from_secs(60 + 30 * seeds().count() as u64);
    vec![
        Scenario::new(
            "a controller killed at random moments moves, doubles and loses no address",
            controller,
        )
        .within(patient),
        Scenario::new(
            "speakers killed at random moments never answer for what another node announces",
            speakers,
        )
        .within(patient),
    ]
}

fn controller(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    for seed in seeds() {
        let story = || {
            let mut story = Story::begin(lab, seed)?;
            let victim = [Part::Controller];
            let probers = story.probers()?;
            story.kill_at_random(&victim)?;
            // The speakers need no controller.
            for prober in probers {
                prober.stop()?.expect_no_gap(GAP)?;
            }
            story.end()
        };
        step(&format!("seed {seed}"), story)?;
    }
    Ok(())
}

fn speakers(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let nodes = lab.topology().node_names();
    let parts: Vec<Part> = nodes.iter().map(|node| Part::speaker(node)).collect();
    for seed in seeds() {
        let story = || {
            let mut story = Story::begin(lab, seed)?;
            let capture = Capture::start(&story.lab.host("lan"), "br0", ARP_AND_ND)?;
            let probers = story.probers()?;
            story.kill_at_random(&parts)?;
            expect_agreement(story.lab)?;
            drop(probers);
            expect_one_speaks(&capture.stop()?)?;
            story.end()
        };
        step(&format!("seed {seed}"), story)?;
    }
    Ok(())
}

/// One run of it, in which all that is random follows from the seed.
struct Story<'a> {
    lab: &'a mut Lab,
    chance: Chance,
    history: History,
    seed: u64,
    serial: usize,
    kept: Vec<Vips>,
    living: Vec<String>,
}

impl<'a> Story<'a> {
    fn begin(lab: &'a mut Lab, seed: u64) -> Result<Self> {
        let history = History::start(lab)?;
        let mut kept = Vec::new();
        for number in 0..KEPT {
            create(lab, &format!("kept-{seed}-{number}"))?;
        }
        for number in 0..KEPT {
            kept.push(vips(lab, &format!("kept-{seed}-{number}"))?);
        }
        let story = Self {
            lab,
            chance: Chance(seed),
            history,
            seed,
            serial: 0,
            kept,
            living: Vec::new(),
        };
        expect_agreement(story.lab)?;
        Ok(story)
    }

    fn probers(&self) -> Result<Vec<Prober>> {
        let client = self.lab.client_host();
        let vips = self.kept.iter().flatten();
        vips.map(|vip| Prober::segment(&client, *vip, Duration::from_millis(20)))
            .collect()
    }

    /// Kill some of the parts and start them again, and again, and change Services all the while.
    fn kill_at_random(&mut self, parts: &[Part]) -> Result<()> {
        for _ in 0..KILLS {
            let first = self.chance.below(parts.len());
            let count = 1 + self.chance.below(parts.len());
            let victims = parts.iter().cycle().skip(first).take(count);
            let victims: Vec<&Part> = victims.collect();
            self.churn()?;
            for victim in &victims {
                self.lab.kill(victim)?;
            }
            self.churn()?;
            self.rest()?;
            for victim in &victims {
                self.lab.restart(victim)?;
            }
            self.churn()?;
            self.rest()?;
        }
        parts.iter().try_for_each(|part| self.lab.wait_ready(part))
    }

    /// Create and delete a few Services.
    fn churn(&mut self) -> Result<()> {
        for _ in 0..self.chance.below(5) {
            let count = self.living.len();
            if count > 0 && self.chance.below(10) < count {
                let victim = self.chance.below(count);
                delete(self.lab, &self.living.swap_remove(victim))?;
            } else {
                let name = format!("passing-{}-{}", self.seed, self.serial);
                create(self.lab, &name)?;
                self.serial += 1;
                self.living.push(name);
            }
        }
        Ok(())
    }

    /// Wait for a random time, in which the kept Services show what they have.
    fn rest(&mut self) -> Result<()> {
        let span = Duration::from_millis(self.chance.next() % LONGEST_REST_MS);
        throughout(span, "kept Services show their addresses", || {
            let shown = World::now(self.lab)?.shown();
            let mut kept = self.kept.iter().flatten();
            kept.try_for_each(|vip| {
                ensure!(shown.contains(vip), "{vip} is not among {shown:?}");
                Ok(())
            })
        })
    }

    /// Everything settles; nothing was lost, and nothing is left when the Services are gone.
    fn end(mut self) -> Result<()> {
        expect_agreement(self.lab)?;
        let kept = (0..KEPT).map(|number| format!("kept-{}-{number}", self.seed));
        for name in kept.chain(std::mem::take(&mut self.living)) {
            delete(self.lab, &name)?;
        }
        expect_agreement(self.lab)?;
        self.history.check(self.lab)
    }
}

/// The splitmix64 generator: enough chance for a test, the same for the same seed for ever.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or_default() % limit.max(1)
    }
}
