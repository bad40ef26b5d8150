//! How sessions with a peer fail, pause and end.

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::time::Duration;

use model::{BfdProfileName, BgpPeer, GracefulRestart, GracefulShutdown};

use super::bgp_peer::{number, seconds};
use super::{Parsed, Report, name_of};
use crate::bfd_profile::{BFDProfile, BFDProfileSpec, MAX_INTERVAL, MIN_INTERVAL, MIN_MULTIPLIER};
use crate::bgp_peer::BGPPeerSpec;
use crate::problem::{BfdProfileProblem, BgpProblem};

/// RFC 4724 §3: twelve bits of seconds. None at all would ask for nothing to be kept.
const MAX_RESTART_TIME: u64 = 4095;

/// The profiles that exist, by name; none for one that is refused.
#[derive(Debug, Default)]
pub(super) struct Profiles<'a>(BTreeMap<&'a str, Option<model::BfdProfile>>);

impl<'a> Profiles<'a> {
    /// Reads all profiles.
    pub(super) fn read(objects: &[&'a BFDProfile], parsed: &mut Parsed) -> Self {
        let read = |object: &&'a BFDProfile| {
            let name = name_of(&object.metadata);
            let read = parsed.read(*object, |report| profile(name, &object.spec, report));
            (name, read)
        };
        Self(objects.iter().map(read).collect())
    }

    fn find(&self, name: &str) -> Result<&model::BfdProfile, BfdProfileProblem> {
        let known = self.0.get(name);
        let known = known.ok_or_else(|| BfdProfileProblem::Missing(name.to_owned()))?;
        let good = known.as_ref();
        good.ok_or_else(|| BfdProfileProblem::Refused(name.to_owned()))
    }
}

fn profile(name: &str, spec: &BFDProfileSpec, report: &mut Report) -> model::BfdProfile {
    if spec.echo_mode {
        report.add("spec.echoMode", BgpProblem::EchoMode);
    }
    if spec.echo_interval.is_some() {
        report.add("spec.echoInterval", BgpProblem::EchoMode);
    }
    let receive = report.take("spec.receiveInterval", interval(spec.receive_interval));
    let transmit = report.take("spec.transmitInterval", interval(spec.transmit_interval));
    let multiplier = report.take("spec.detectMultiplier", multiplier(spec.detect_multiplier));
    let minimum_ttl = report.take("spec.minimumTtl", minimum_ttl(spec.minimum_ttl));
    model::BfdProfile {
        name: BfdProfileName::new(name),
        receive_interval: receive.unwrap_or_default(),
        transmit_interval: transmit.unwrap_or_default(),
        detect_multiplier: multiplier.unwrap_or(NonZeroU8::MIN),
        minimum_ttl: minimum_ttl.unwrap_or_default(),
        passive: spec.passive_mode,
    }
}

/// Reads an interval in milliseconds.
pub(crate) fn interval(value: i64) -> Result<Duration, BgpProblem> {
    number(value, MIN_INTERVAL, MAX_INTERVAL).map(Duration::from_millis)
}

/// Reads how many packets may be missed.
pub(crate) fn multiplier(value: i64) -> Result<NonZeroU8, BgpProblem> {
    let (min, max) = (MIN_MULTIPLIER, i64::from(u8::MAX));
    let read = number::<u8>(value, min, max).map(NonZeroU8::new)?;
    read.ok_or(BgpProblem::NumberOutOfRange { value, min, max })
}

/// Reads the lowest TTL that is accepted.
pub(crate) fn minimum_ttl(value: i64) -> Result<u8, BgpProblem> {
    number(value, 1, 254)
}

/// The profile that a peer names. While that cannot be had, a peer that was in force with it keeps
/// its values; any other one is refused, as it would run without what was asked for.
pub(super) fn bfd(
    spec: &BGPPeerSpec,
    profiles: &Profiles<'_>,
    last: Option<&BgpPeer>,
    report: &mut Report,
) -> Option<model::BfdProfile> {
    let Some(name) = &spec.bfd_profile else {
        if spec.bfd_strict {
            report.add("spec.bfdStrict", BgpProblem::StrictWithoutProfile);
        }
        return None;
    };
    let problem = match profiles.find(name) {
        Ok(profile) => return Some(profile.clone()),
        Err(problem) => problem,
    };
    let last = last.and_then(|last| last.bfd.as_ref());
    let kept = last.filter(|profile| profile.name.as_str() == name);
    let problem = BgpProblem::BfdProfile {
        problem,
        kept: kept.is_some(),
    };
    report.add("spec.bfdProfile", problem);
    kept.cloned()
}

pub(super) fn graceful_restart(spec: &BGPPeerSpec, report: &mut Report) -> GracefulRestart {
    let settings = &spec.graceful_restart;
    let restart_time = restart_time(&settings.restart_time);
    let restart_time = report.take("spec.gracefulRestart.restartTime", restart_time);
    let bfd_budget = bfd_budget(&settings.bfd_budget);
    let bfd_budget = report.take("spec.gracefulRestart.bfdBudget", bfd_budget);
    GracefulRestart {
        enabled: settings.enabled,
        restart_time: restart_time.unwrap_or_default(),
        notification: settings.notification,
        bfd_budget: bfd_budget.unwrap_or_default(),
    }
}

pub(super) fn graceful_shutdown(spec: &BGPPeerSpec, report: &mut Report) -> GracefulShutdown {
    let settings = &spec.graceful_shutdown;
    let wait = report.take("spec.gracefulShutdown.wait", wait(&settings.wait));
    GracefulShutdown {
        enabled: settings.enabled,
        wait: wait.unwrap_or_default(),
    }
}

/// Reads how long a peer keeps our routes.
pub(crate) fn restart_time(text: &str) -> Result<Duration, BgpProblem> {
    seconds(text, (1..=MAX_RESTART_TIME, "a time from 1s to 4095s"))
}

/// Reads how long BFD is made to bear a restart.
pub(crate) fn bfd_budget(text: &str) -> Result<Duration, BgpProblem> {
    seconds(text, (0..=300, "a time from 0s to 300s"))
}

/// Reads how long a peer gets to find other ways.
pub(crate) fn wait(text: &str) -> Result<Duration, BgpProblem> {
    seconds(text, (0..=60, "a time from 0s to 60s"))
}
