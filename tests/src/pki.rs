//! Certificates, keys, tokens and kubeconfigs of a run, all in its folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::address::API_SERVER;

/// Tokens of the static token file: user, uid, groups.
const TOKENS: &str = "admintoken,admin,admin,\"system:masters\"\n\
    proxytoken,system:kube-proxy,kube-proxy\n\
    managertoken,system:kube-controller-manager,kube-controller-manager\n";

/// Where the files of a run's public key infrastructure are.
#[derive(Debug, Clone)]
pub(crate) struct Pki {
    dir: PathBuf,
}

impl Pki {
    pub(crate) fn make(run_dir: &Path) -> Result<Self> {
        let pki = Self {
            dir: run_dir.join("pki"),
        };
        fs::create_dir_all(&pki.dir)?;
        fs::set_permissions(&pki.dir, Permissions::from_mode(0o700))?;
        pki.certificates()?;
        pki.write("tokens.csv", TOKENS)?;
        for (user, token) in [
            ("admin", "admintoken"),
            ("proxy", "proxytoken"),
            ("manager", "managertoken"),
        ] {
            pki.kubeconfig(user, &format!("token: {token}"))?;
        }
        Ok(pki)
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.dir.join(file).to_string_lossy().into_owned()
    }

    /// A kubeconfig with a token that is read from a file, as in a pod.
    pub(crate) fn kubeconfig_with_token(&self, user: &str, token: &str) -> Result<String> {
        self.write(&format!("{user}.token"), token)?;
        let file = self.path(&format!("{user}.token"));
        self.kubeconfig(user, &format!("tokenFile: {file}"))
    }

    fn kubeconfig(&self, user: &str, credentials: &str) -> Result<String> {
        let ca = self.path("ca.crt");
        let name = format!("{user}.kubeconfig");
        self.write(
            &name,
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
                 clusters: [{{name: lab, cluster: {{server: \"{API_SERVER}\", certificate-authority: {ca}}}}}]\n\
                 users: [{{name: {user}, user: {{{credentials}}}}}]\n\
                 contexts: [{{name: lab, context: {{cluster: lab, user: {user}}}}}]\n"
            ),
        )?;
        Ok(self.path(&name))
    }

    fn certificates(&self) -> Result<()> {
        let ca_key = KeyPair::generate()?;
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.distinguished_name
            .push(DnType::CommonName, "seamark lab");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.write("ca.crt", &ca.self_signed(&ca_key)?.pem())?;

        let key = KeyPair::generate()?;
        let names = ["kubernetes", "kubernetes.default.svc", "localhost"];
        let addresses = ["10.99.0.2", "fd99::2", "127.0.0.1", "10.96.0.1", "fd96::1"];
        let all: Vec<String> = names
            .iter()
            .chain(&addresses)
            .map(ToString::to_string)
            .collect();
        let mut server = CertificateParams::new(all)?;
        server
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        let issuer = Issuer::from_params(&ca, &ca_key);
        self.write("apiserver.crt", &server.signed_by(&key, &issuer)?.pem())?;
        self.write("apiserver.key", &key.serialize_pem())?;

        let accounts = KeyPair::generate()?;
        self.write("accounts.key", &accounts.serialize_pem())?;
        self.write("accounts.pub", &accounts.public_key_pem())
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.dir.join(file);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(())
    }
}
