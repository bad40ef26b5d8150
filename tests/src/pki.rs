//! Certificates, keys, tokens and kubeconfigs of a run, all in its folder.

use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::address::API_SERVER;

/// Tokens of the static token file: user, uid, groups.
const TOKENS: &str = "admintoken,admin,admin,\"system:masters\"\n\
    proxytoken,system:kube-proxy,kube-proxy\n\
    managertoken,system:kube-controller-manager,kube-controller-manager\n\
    schedulertoken,system:kube-scheduler,kube-scheduler\n";

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
            ("scheduler", "schedulertoken"),
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

    /// Certificate and kubeconfig of the kubelet of a node, which serves under it as well.
    pub(crate) fn node(&self, name: &str, addresses: &[IpAddr]) -> Result<()> {
        let names = addresses.iter().map(ToString::to_string);
        let names = std::iter::once(name.to_owned()).chain(names).collect();
        self.certificate(name, &format!("system:node:{name}"), "system:nodes", names)?;
        let credentials = format!(
            "client-certificate: {}, client-key: {}",
            self.path(&format!("{name}.crt")),
            self.path(&format!("{name}.key")),
        );
        self.kubeconfig(name, &credentials).map(drop)
    }

    /// A certificate of our authority for a user, or a server, or both.
    fn certificate(
        &self,
        file: &str,
        common_name: &str,
        organization: &str,
        names: Vec<String>,
    ) -> Result<()> {
        let authority = fs::read_to_string(self.dir.join("ca.key"))?;
        let authority = KeyPair::from_pem(&authority)?;
        let ca = authority_parameters()?;
        let issuer = Issuer::from_params(&ca, &authority);
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(names)?;
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CommonName, common_name);
        name.push(DnType::OrganizationName, organization);
        let certificate = parameters.signed_by(&key, &issuer)?;
        self.write(&format!("{file}.crt"), &certificate.pem())?;
        self.write(&format!("{file}.key"), &key.serialize_pem())
    }

    fn certificates(&self) -> Result<()> {
        let ca_key = KeyPair::generate()?;
        let ca = authority_parameters()?;
        self.write("ca.key", &ca_key.serialize_pem())?;
        self.write("ca.crt", &ca.self_signed(&ca_key)?.pem())?;
        let names = ["kubernetes", "kubernetes.default.svc", "localhost"];
        let addresses = ["10.99.0.2", "fd99::2", "127.0.0.1", "10.96.0.1", "fd96::1"];
        let all = names.iter().chain(&addresses).map(ToString::to_string);
        // The API server asks kubelets as somebody whom nobody refuses.
        self.certificate(
            "apiserver",
            "kube-apiserver",
            "system:masters",
            all.collect(),
        )?;
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

fn authority_parameters() -> Result<CertificateParams> {
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name
        .push(DnType::CommonName, "seamark lab");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(ca)
}
