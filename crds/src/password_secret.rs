//! Secrets that passwords of peers stand in: those of users, and the one that speakers read.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use model::{Password, PasswordKey};
use serde::Deserialize;

/// The name of the one Secret that speakers read, in the namespace of the controller, which
/// writes it.
pub const SPEAKER_SECRET_NAME: &str = "seamark-speaker";

/// What the keys of peers' passwords in it begin with; the rest is the peer's name.
const PEER: &str = "peer.";

/// The longest key of TCP-MD5 that Linux takes.
const MAX_PASSWORD: usize = 80;

/// A Secret, of which no more is kept than can be the password of a peer: neither annotations,
/// where kubectl leaves a copy of all of it, nor values of another form. `Debug` shows none.
#[derive(Debug, Clone, PartialEq, Deserialize, Resource)]
#[resource(inherit = Secret)]
#[serde(from = "Secret")]
pub struct PasswordSecret {
    /// Name, namespace, uid and version.
    pub metadata: ObjectMeta,
    /// Each key with what stands under it.
    pub values: BTreeMap<String, PasswordValue>,
}

/// What stands under a key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordValue {
    /// Something that can be a password: 1 to 80 bytes without a line break.
    Password(Password),
    /// Something else.
    Unfit,
}

impl PasswordSecret {
    /// Everything under keys of peers.
    pub fn of_peers(&self) -> impl Iterator<Item = (PasswordKey, &PasswordValue)> {
        let values = self.values.iter();
        let of_peers = values.filter(|(key, _)| key.starts_with(PEER));
        of_peers.map(|(key, value)| (PasswordKey::new(key.clone()), value))
    }

    /// The passwords under keys of peers.
    pub fn passwords(&self) -> impl Iterator<Item = (PasswordKey, &Password)> {
        self.of_peers().filter_map(|(key, value)| match value {
            PasswordValue::Password(password) => Some((key, password)),
            PasswordValue::Unfit => None,
        })
    }
}

impl From<Secret> for PasswordSecret {
    fn from(secret: Secret) -> Self {
        let metadata = ObjectMeta {
            name: secret.metadata.name,
            namespace: secret.metadata.namespace,
            uid: secret.metadata.uid,
            resource_version: secret.metadata.resource_version,
            ..ObjectMeta::default()
        };
        let data = secret.data.unwrap_or_default().into_iter();
        Self {
            metadata,
            values: data.map(|(key, bytes)| (key, bytes.0.into())).collect(),
        }
    }
}

impl From<Vec<u8>> for PasswordValue {
    fn from(bytes: Vec<u8>) -> Self {
        let line_break = |byte: &u8| [b'\n', b'\r', 0].contains(byte);
        // What an editor or `echo` leaves at the end is never meant, and the peer has it not.
        if (1..=MAX_PASSWORD).contains(&bytes.len()) && !bytes.iter().any(line_break) {
            Self::Password(Password::new(bytes))
        } else {
            Self::Unfit
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret() -> PasswordSecret {
        serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "seamark-speaker",
                "resourceVersion": "7",
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}" },
            },
            // "secret", "line\n", "beacon"
            "data": { "peer.tor": "c2VjcmV0", "peer.odd": "bGluZQo=", "beacon": "YmVhY29u" },
        }))
        .unwrap()
    }

    #[test]
    fn only_what_can_be_a_peers_password_is_one() {
        let secret = secret();
        let passwords: Vec<_> = secret.passwords().collect();
        let expected = Password::new("secret");
        assert_eq!(passwords, [(PasswordKey::new("peer.tor"), &expected)]);
        assert_eq!(secret.of_peers().count(), 2);
        assert_eq!(secret.values["peer.odd"], PasswordValue::Unfit);
        for (bytes, fits) in [(0, false), (1, true), (80, true), (81, false)] {
            let value = PasswordValue::from(vec![b'x'; bytes]);
            assert_eq!(value != PasswordValue::Unfit, fits, "{bytes}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let printed = format!("{:?}", secret());
        assert!(
            printed.contains("peer.tor") && !printed.contains("secret\""),
            "{printed}"
        );
        assert!(!printed.contains("last-applied"), "{printed}");
    }
}
