//! Carries out what the owner decided.
//!
//! Several effects are under way at once, as many as [`CONCURRENCY`]; the owner sees to it that no
//! two of them touch the same object. Nothing is retried here: a write that fails is reported, and
//! the owner decides anew on what is true by then. The client is [fenced](runtime::lease::fence): it
//! sends no write once another replica may lead.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{
    BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, IPAllocation, L2Advertisement,
    SPEAKER_SECRET_NAME, SpeakerConfig,
};
use futures::future::join_all;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ObjectReference, Secret, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, Resource};
use model::{Allocation, PoolName, ServiceKey, Uid};
use runtime::lease::NotLeading;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tracing::warn;

use crate::account::Account;
use crate::effect::{
    ConfigKind, Effect, Note, Outcome, Release, ReleaseVerdict, SecretChange, Settle, Settled,
    WriteFailure, Written,
};
use crate::ledger::LedgerEntry;
use crate::metrics::Metrics;
use crate::service::{Reading, ServiceView};
use crate::status::FIELD_MANAGER;

/// Effects under way at once. The API server answers a small write in 2–3 ms, most of it waiting
/// for its store; more in parallel only lengthens its queue.
const CONCURRENCY: usize = 24;

/// Writes to the API server; see the module's text.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    reading: Reading,
    namespace: String,
    account: watch::Receiver<Option<Account>>,
    recorder: Recorder,
    metrics: Metrics,
}

impl Writer {
    /// A writer through this client. `namespace` is our own, `account` whom we run as, once that is
    /// known; `recorder` sends the Events.
    pub(crate) fn new(
        client: Client,
        reading: Reading,
        namespace: String,
        account: watch::Receiver<Option<Account>>,
        recorder: Recorder,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            reading,
            namespace,
            account,
            recorder,
            metrics,
        }
    }

    /// Carries out effects until the channel closes, and what is under way then to its end.
    pub(crate) async fn run(
        self,
        mut effects: mpsc::Receiver<Effect>,
        done: mpsc::Sender<Outcome>,
    ) {
        let places = Arc::new(Semaphore::new(CONCURRENCY));
        let mut tasks = JoinSet::new();
        while let Some(effect) = effects.recv().await {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let (writer, done) = (self.clone(), done.clone());
            tasks.spawn(async move {
                let outcome = writer.carry_out(effect).await;
                drop(place);
                // The owner is gone only when the process ends.
                let _ = done.send(outcome).await;
            });
            while tasks.try_join_next().is_some() {}
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn carry_out(&self, effect: Effect) -> Outcome {
        match effect {
            Effect::Settle(settle) => Outcome::Settled(Box::new(self.settle(*settle).await)),
            Effect::Release(release) => Outcome::Released {
                address: release.entry.allocation.address,
                entry: release.entry.uid.clone(),
                result: self.release(*release).await,
            },
            Effect::Leave(key, uid) => {
                let result = self.leave(&key, &uid).await;
                Outcome::Left(key, uid, result.map(drop))
            }
            Effect::LookUpKind(kind) => Outcome::KindLookedUp(kind, self.look_up(kind).await),
            Effect::WriteSpeakerConfig {
                spec,
                resource_version,
            } => {
                let result = self.write_speaker_config(*spec, resource_version).await;
                speaker_config_written(result)
            }
            Effect::WriteSpeakerConfigStatus(status) => {
                let name = crds::SPEAKER_CONFIG_NAME;
                speaker_config_written(self.apply_status(name, &*status).await)
            }
            Effect::WritePoolStatus(name, status) => {
                let result = self.apply_status::<IPAddressPool>(&name, &*status).await;
                written(&name, result)
            }
            Effect::WriteConditions(kind, name, conditions) => {
                let status = json!({ "conditions": conditions });
                self.write_conditions(kind, &name, &status).await
            }
            Effect::WriteSpeakerSecret(change) => Outcome::ConfigurationWritten {
                object: format!("Secret/{SPEAKER_SECRET_NAME}"),
                result: self
                    .write_speaker_secret(*change)
                    .await
                    .map(|secret| Written::SpeakerSecret(Box::new(secret.into()))),
            },
        }
    }

    async fn write_conditions(&self, kind: ConfigKind, name: &str, status: &Value) -> Outcome {
        match kind {
            ConfigKind::Pool => {
                written(name, self.apply_status::<IPAddressPool>(name, status).await)
            }
            ConfigKind::L2Advertisement => written(
                name,
                self.apply_status::<L2Advertisement>(name, status).await,
            ),
            ConfigKind::BgpAdvertisement => written(
                name,
                self.apply_status::<BGPAdvertisement>(name, status).await,
            ),
            ConfigKind::BgpPeer => written(name, self.apply_status::<BGPPeer>(name, status).await),
            ConfigKind::BfdProfile => {
                written(name, self.apply_status::<BFDProfile>(name, status).await)
            }
            ConfigKind::Community => {
                written(name, self.apply_status::<Community>(name, status).await)
            }
        }
    }

    /// Creates the Secret, or changes the keys that are named, on the version that was decided on.
    async fn write_speaker_secret(&self, change: SecretChange) -> Result<Secret, WriteFailure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut data: BTreeMap<String, Option<ByteString>> = change
            .set
            .into_iter()
            .map(|(key, password)| {
                let bytes = ByteString(password.as_bytes().to_vec());
                (key.to_string(), Some(bytes))
            })
            .collect();
        let answer = match change.resource_version {
            None => {
                let labels = [
                    ("app.kubernetes.io/name", "seamark"),
                    ("app.kubernetes.io/managed-by", FIELD_MANAGER),
                ];
                let mut secret = Secret::default();
                secret.metadata.name = Some(SPEAKER_SECRET_NAME.to_owned());
                let owner = self.account.borrow().as_ref().map(Account::owner_reference);
                secret.metadata.owner_references = owner.map(|owner| vec![owner]);
                secret.metadata.labels = Some(labels.map(|(k, v)| (k.into(), v.into())).into());
                let data = data.into_iter();
                secret.data = Some(
                    data.filter_map(|(key, value)| Some((key, value?)))
                        .collect(),
                );
                api.create(&PostParams::default(), &secret).await
            }
            Some(version) => {
                data.extend(change.remove.iter().map(|key| (key.to_string(), None)));
                let body = json!({ "metadata": { "resourceVersion": version }, "data": data });
                let params = PatchParams::default();
                api.patch(SPEAKER_SECRET_NAME, &params, &Patch::Merge(&body))
                    .await
            }
        };
        self.count("secret", answer)
    }

    /// Claims, then status, then changed records, then releases; stops at the first failure, so
    /// that no status shows an address that the ledger does not hold.
    async fn settle(&self, settle: Settle) -> Settled {
        let mut settled = Settled {
            uid: settle.uid.clone(),
            decided_on: settle.decided_on.clone(),
            claimed: Vec::new(),
            read: Vec::new(),
            released: Vec::new(),
            service: None,
            failure: None,
        };
        settled.failure = self.settle_steps(&settle, &mut settled).await.err();
        if settled.failure.is_none()
            && let Some(note) = &settle.note
        {
            self.note(&settle.service, &settle.uid, note).await;
        }
        settled
    }

    async fn settle_steps(
        &self,
        settle: &Settle,
        settled: &mut Settled,
    ) -> Result<(), WriteFailure> {
        for claimed in join_all(settle.claims.iter().map(|claim| self.claim(claim))).await {
            match claimed {
                Ok(entry) => settled.claimed.push(entry),
                Err((failure, holder)) => {
                    settled.read.extend(holder);
                    settled.failure = Some(failure);
                }
            }
        }
        if let Some(failure) = settled.failure.take() {
            return Err(failure);
        }
        if let Some(status) = &settle.status {
            let params = apply_params(status.force);
            let patch = Patch::Apply(&status.body);
            let api = self.services(&settle.service);
            let answer = api
                .patch_status(&settle.service.name, &params, &patch)
                .await;
            settled.service = Some(self.count("service", answer)?);
        }
        for (entry, pool) in &settle.repoint {
            settled.read.push(self.repoint(entry, pool).await?);
        }
        for entry in &settle.release {
            self.give_back(entry).await?;
            settled.released.push(entry.clone());
        }
        Ok(())
    }

    /// Creates an entry: the atomic claim. If there is one already, it is read, so that the owner
    /// learns whose it is without waiting for the watch; our own, from a write whose answer was
    /// lost, is as good as created now.
    async fn claim(
        &self,
        claim: &Allocation,
    ) -> Result<LedgerEntry, (WriteFailure, Option<LedgerEntry>)> {
        let api: Api<IPAllocation> = Api::all(self.client.clone());
        let object = IPAllocation::from(claim);
        let answer = api.create(&PostParams::default(), &object).await;
        let taken = matches!(&answer, Err(kube::Error::Api(status)) if status.is_already_exists());
        if !taken {
            let object = self
                .count("ipallocation", answer)
                .map_err(|failure| (failure, None))?;
            return LedgerEntry::of(&object).ok_or((WriteFailure::Taken(claim.address), None));
        }
        let known = api.get(&crds::entry_name(claim.address)).await;
        let entry = known.ok().as_ref().and_then(LedgerEntry::of);
        match entry {
            Some(entry)
                if claim
                    .holders
                    .iter()
                    .all(|h| entry.allocation.is_held_by(&h.uid)) =>
            {
                Ok(entry)
            }
            entry => Err((WriteFailure::Taken(claim.address), entry)),
        }
    }

    async fn repoint(
        &self,
        entry: &LedgerEntry,
        pool: &PoolName,
    ) -> Result<LedgerEntry, WriteFailure> {
        let allocation = Allocation {
            pool: pool.clone(),
            ..entry.allocation.clone()
        };
        self.replace_entry(entry, &allocation).await
    }

    /// Writes an entry anew, on the version that was decided on.
    async fn replace_entry(
        &self,
        entry: &LedgerEntry,
        allocation: &Allocation,
    ) -> Result<LedgerEntry, WriteFailure> {
        let api: Api<IPAllocation> = Api::all(self.client.clone());
        let mut object = IPAllocation::from(allocation);
        object.metadata.uid = Some(entry.uid.clone());
        object.metadata.resource_version = Some(entry.resource_version.clone());
        let name = crds::entry_name(allocation.address);
        let answer = api.replace(&name, &PostParams::default(), &object).await;
        let object = self.count("ipallocation", answer)?;
        LedgerEntry::of(&object).ok_or(WriteFailure::Conflict)
    }

    /// The two writes of a release: empty the holders, by which speakers withdraw, then delete.
    async fn give_back(&self, entry: &LedgerEntry) -> Result<(), WriteFailure> {
        let emptied = if entry.allocation.holders.is_empty() {
            Ok(entry.clone())
        } else {
            let allocation = Allocation {
                holders: Vec::new(),
                ..entry.allocation.clone()
            };
            self.replace_entry(entry, &allocation).await
        };
        let emptied = match emptied {
            Err(WriteFailure::NotFound) => return Ok(()),
            other => other?,
        };
        let api: Api<IPAllocation> = Api::all(self.client.clone());
        let preconditions = Preconditions {
            uid: Some(emptied.uid),
            resource_version: Some(emptied.resource_version),
        };
        let params = DeleteParams {
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        let answer = api
            .delete(&crds::entry_name(emptied.allocation.address), &params)
            .await;
        match self.count("ipallocation", answer) {
            Ok(_) | Err(WriteFailure::NotFound) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Absence releases only after an uncached GET says that the Service is gone, is another one,
    /// or is no longer ours.
    async fn release(&self, release: Release) -> Result<ReleaseVerdict, WriteFailure> {
        if let Some((key, uid)) = &release.holder
            && self.leave(key, uid).await?
        {
            return Ok(ReleaseVerdict::StillHeld);
        }
        self.give_back(&release.entry).await?;
        Ok(ReleaseVerdict::Gone)
    }

    /// Asks what became of a Service, and takes our condition from one that is no longer ours.
    /// Returns whether it still is.
    async fn leave(&self, key: &ServiceKey, uid: &Uid) -> Result<bool, WriteFailure> {
        loop {
            let answer = self.services(key).get_opt(&key.name).await;
            let found = answer.map_err(|error| failure_of(&error))?;
            let same = found.filter(|s| s.metadata.uid.as_deref() == Some(uid.as_str()));
            let Some(service) = same else {
                return Ok(false);
            };
            if ServiceView::of(&service, &self.reading).is_some() {
                return Ok(true);
            }
            match self.clear_status(key, &service).await {
                // Changed since it was read, perhaps by the release of its other address.
                Err(WriteFailure::Conflict) => {}
                result => return result.map(|()| false),
            }
        }
    }

    /// Drops what we own of the status of a Service that is no longer ours; what somebody else
    /// has written since is left.
    async fn clear_status(&self, key: &ServiceKey, service: &Service) -> Result<(), WriteFailure> {
        if crate::service::our_condition(service).is_none() {
            return Ok(());
        }
        let answer = crate::status::clear(&self.services(key), service).await;
        self.count("service", answer).map(|_| ())
    }

    /// Whether the definition of a kind is there and not being deleted; `None` if that cannot be
    /// read now.
    async fn look_up(&self, kind: ConfigKind) -> Option<bool> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        match api.get_metadata_opt(kind.definition()).await {
            Ok(found) => Some(found.is_some_and(|d| d.metadata.deletion_timestamp.is_none())),
            Err(error) => {
                let error = runtime::log::chain(&error);
                warn!(
                    kind = kind.kind(),
                    error, "definition of a kind cannot be looked up"
                );
                None
            }
        }
    }

    async fn write_speaker_config(
        &self,
        spec: crds::SpeakerConfigSpec,
        resource_version: Option<String>,
    ) -> Result<SpeakerConfig, WriteFailure> {
        let api: Api<SpeakerConfig> = Api::all(self.client.clone());
        let mut object = SpeakerConfig::new(crds::SPEAKER_CONFIG_NAME, spec);
        let params = PostParams::default();
        let answer = match resource_version {
            None => api.create(&params, &object).await,
            Some(version) => {
                object.metadata.resource_version = Some(version);
                api.replace(crds::SPEAKER_CONFIG_NAME, &params, &object)
                    .await
            }
        };
        self.count("speakerconfig", answer)
    }

    async fn apply_status<K>(&self, name: &str, status: &impl Serialize) -> Result<K, WriteFailure>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let api: Api<K> = Api::all(self.client.clone());
        let body = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": { "name": name },
            "status": status,
        });
        let answer = api
            .patch_status(name, &apply_params(true), &Patch::Apply(&body))
            .await;
        self.count(K::kind(&()).to_lowercase().as_str(), answer)
    }

    async fn note(&self, service: &ServiceKey, uid: &Uid, note: &Note) {
        let event = Event {
            type_: EventType::Warning,
            reason: note.reason.to_owned(),
            note: Some(note.message.clone()),
            action: "Allocate".to_owned(),
            secondary: None,
        };
        let regarding = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Service".to_owned()),
            namespace: Some(service.namespace.clone()),
            name: Some(service.name.clone()),
            uid: Some(uid.as_str().to_owned()),
            ..ObjectReference::default()
        };
        let sent = self.recorder.publish(&event, &regarding).await;
        if let Err(failure) = self.count("event", sent) {
            warn!(service = %service, error = %failure, "event not sent; the condition says the same");
        }
    }

    fn services(&self, key: &ServiceKey) -> Api<Service>
    where
        Service: Resource<Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &key.namespace)
    }

    fn count<T>(&self, object: &str, answer: kube::Result<T>) -> Result<T, WriteFailure> {
        let result = answer.map_err(|error| failure_of(&error));
        self.metrics.write(object, result.as_ref().err());
        result
    }
}

fn written<K>(name: &str, result: Result<K, WriteFailure>) -> Outcome
where
    K: Resource<DynamicType = ()>,
{
    Outcome::ConfigurationWritten {
        object: format!("{}/{name}", K::kind(&())),
        result: result.map(|_| Written::Status),
    }
}

fn speaker_config_written(result: Result<SpeakerConfig, WriteFailure>) -> Outcome {
    Outcome::ConfigurationWritten {
        object: format!("SpeakerConfig/{}", crds::SPEAKER_CONFIG_NAME),
        result: result.map(|object| Written::SpeakerConfig(Box::new(object))),
    }
}

fn apply_params(force: bool) -> PatchParams {
    let params = PatchParams::apply(FIELD_MANAGER);
    if force { params.force() } else { params }
}

fn failure_of(error: &kube::Error) -> WriteFailure {
    if let kube::Error::Api(status) = error {
        if status.is_conflict() {
            return WriteFailure::Conflict;
        }
        if status.is_not_found() {
            return WriteFailure::NotFound;
        }
    }
    if let kube::Error::Service(source) = error
        && source.is::<NotLeading>()
    {
        return WriteFailure::NotLeading;
    }
    WriteFailure::Refused(runtime::log::chain(error))
}
