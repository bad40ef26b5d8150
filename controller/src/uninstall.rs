//! Seamark is taken off a cluster: `seamark-controller uninstall`, which the chart runs before it
//! deletes anything.
//!
//! ```text
//!   order ──▶ SpeakerConfig.spec.leaving ──▶ speakers withdraw all ──▶ their SpeakerStatus says so
//!   wait  ◀─────────────────────────────────────────────────────────────────┘  (some seconds at most)
//!   then, where it is asked for: Services' statuses cleared; the kinds deleted, with all of theirs
//! ```
//!
//! The order stays when this process is gone, and names the installation that it is meant for: the
//! controller of another one takes it back. Neither the ledger nor the configuration is touched, so
//! that whoever comes back finds every address where it was.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use crds::{SpeakerConfig, SpeakerStatus};
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use runtime::client::Requests;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::args::Uninstall;
use crate::service::our_condition;
use crate::status;

/// The one field manager of the order.
const FIELD_MANAGER: &str = "seamark-uninstall";

/// The ServiceAccount of the controller: with a new installation it is another object.
const ACCOUNT: &str = "seamark-controller";

/// How often speakers are asked whether they are silent.
const LOOK: Duration = Duration::from_millis(200);

/// Does what the arguments say, and tells what is left to do by hand.
pub async fn run(args: Uninstall) -> anyhow::Result<ExitCode> {
    runtime::log::init(&args.common)?;
    let agent = concat!("seamark-uninstall/", env!("CARGO_PKG_VERSION"));
    let client = runtime::client::connect(&args.common, agent, Requests::default()).await?;
    let uninstaller = Uninstaller {
        namespace: args.namespace.name(),
        client,
    };
    match uninstaller.order().await? {
        None => info!("nothing is announced: there is no SpeakerConfig"),
        Some(generation) => uninstaller.silence(generation, args.timeout()).await?,
    }
    if args.clear_status || args.purge {
        uninstaller.clear_services().await?;
    }
    if args.purge {
        uninstaller.delete_kinds().await?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Uninstaller {
    client: Client,
    namespace: String,
}

impl Uninstaller {
    /// Orders all speakers to leave. Returns the generation that says so; `None` without anything
    /// that speakers would follow.
    async fn order(&self) -> anyhow::Result<Option<i64>> {
        let configs: Api<SpeakerConfig> = Api::all(self.client.clone());
        // Without the kind, or without the object, a patch would create what is not there.
        match configs.get_metadata(crds::SPEAKER_CONFIG_NAME).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
            Err(error) => return Err(error).context("cannot read SpeakerConfig seamark"),
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let account = accounts.get_opt(ACCOUNT).await;
        let account = account
            .with_context(|| format!("cannot read ServiceAccount {}/{ACCOUNT}", self.namespace))?;
        let order = json!({
            "apiVersion": "seamark.io/v1beta1",
            "kind": "SpeakerConfig",
            "spec": {
                "leaving": true,
                "leavingInstallation": account.and_then(|account| account.uid()),
            },
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = configs
            .patch(crds::SPEAKER_CONFIG_NAME, &params, &Patch::Apply(&order))
            .await
            .context("cannot order the speakers to leave by SpeakerConfig seamark")?;
        info!("speakers are ordered to withdraw all addresses");
        Ok(written.metadata.generation)
    }

    /// Waits until every speaker says that it is silent. One that says nothing, as its node is dead,
    /// is not waited for beyond the limit: whoever is dead answers for nothing either.
    async fn silence(&self, generation: i64, limit: Duration) -> anyhow::Result<()> {
        let statuses: Api<SpeakerStatus> = Api::all(self.client.clone());
        let deadline = Instant::now() + limit;
        loop {
            let list = statuses.list(&ListParams::default()).await;
            let list = list.context("cannot list SpeakerStatuses")?;
            let loud: BTreeMap<String, i64> = list
                .iter()
                .filter_map(|status| Some((status.name_any(), answered(status, generation)?)))
                .collect();
            if loud.is_empty() {
                info!("all speakers are silent");
                break;
            }
            if Instant::now() >= deadline {
                for (node, addresses) in loud {
                    warn!(
                        node,
                        addresses,
                        "the speaker of this node has not said that it is silent; if the node lives, \
                         see that no seamark-speaker runs there"
                    );
                }
                break;
            }
            sleep(LOOK).await;
        }
        // They make nodes candidates, and are made again by the speakers of the next installation.
        let all = ListParams::default();
        let deleted = statuses
            .delete_collection(&DeleteParams::default(), &all)
            .await;
        deleted.map(drop).context("cannot delete SpeakerStatuses")
    }

    /// Takes our addresses and our condition from all Services that have them.
    async fn clear_services(&self) -> anyhow::Result<()> {
        let services: Api<Service> = Api::all(self.client.clone());
        let list = services.list(&ListParams::default()).await;
        let mut cleared = 0;
        for service in list.context("cannot list Services")? {
            if our_condition(&service).is_none() {
                continue;
            }
            let namespace = service.namespace().unwrap_or_default();
            let own: Api<Service> = Api::namespaced(self.client.clone(), &namespace);
            let name = service.name_any();
            match status::clear(&own, &service).await {
                Ok(_) => cleared += 1,
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => {
                    let context = format!("cannot clear the status of Service {namespace}/{name}");
                    return Err(error).context(context);
                }
            }
        }
        info!(count = cleared, "statuses of Services cleared");
        Ok(())
    }

    /// Deletes all our kinds, and with them the ledger and the configuration.
    async fn delete_kinds(&self) -> anyhow::Result<()> {
        let kinds: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for name in crds::definitions() {
            match kinds.delete(&name, &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(error) => return Err(error).with_context(|| format!("cannot delete {name}")),
            }
        }
        info!("kinds deleted, with the ledger and the configuration");
        Ok(())
    }
}

/// How many addresses a speaker still answers for or tells; `None` once it says that the order is in
/// force and that it has nothing left.
fn answered(status: &SpeakerStatus, generation: i64) -> Option<i64> {
    let status = status.status.as_ref()?;
    let told: i64 = status
        .sessions
        .iter()
        .map(|session| session.advertised_ipv4 + session.advertised_ipv6)
        .sum();
    let announced = status.announced_ipv4 + status.announced_ipv6;
    let in_force = status
        .config_generation
        .is_some_and(|known| known >= generation);
    let addresses = announced.max(told);
    (!in_force || addresses > 0).then_some(addresses)
}

#[cfg(test)]
mod tests {
    use crds::SpeakerStatusStatus;

    use super::*;

    fn status(generation: Option<i64>, announced: i64) -> SpeakerStatus {
        let mut status = SpeakerStatus::new("n1", crds::SpeakerStatusSpec {});
        status.status = Some(SpeakerStatusStatus {
            config_generation: generation,
            announced_ipv4: announced,
            ..SpeakerStatusStatus::default()
        });
        status
    }

    #[test]
    fn a_speaker_is_silent_once_the_order_is_in_force_and_nothing_is_left() {
        assert_eq!(answered(&status(Some(7), 0), 7), None);
        assert_eq!(answered(&status(Some(8), 0), 7), None);
        assert_eq!(answered(&status(Some(7), 3), 7), Some(3));
        assert_eq!(
            answered(&status(Some(6), 0), 7),
            Some(0),
            "it has not read the order"
        );
        assert_eq!(answered(&status(None, 0), 7), Some(0));
    }
}
