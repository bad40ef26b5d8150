//! The first pages of the guide, typed by a person who does what they say, one after the other.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab::address::node;
use lab::chart::{PATIENCE, on_real, pods};
use lab::guide::{Prompt, Typed, commands};
use lab::peer::{Frr, Router, guide};
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, tools};

/// In the order in which a newcomer reads them.
const PAGES: [&str; 8] = [
    "install.md",
    "first-address.md",
    "traffic-policy.md",
    "layer2.md",
    "bgp.md",
    "troubleshooting.md",
    "upgrade.md",
    "uninstall.md",
];

/// What is run elsewhere: by the stages of `make test`, and by whoever releases.
const ELSEWHERE: [&str; 1] = ["make image"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        on_real(
            "every command of the guide's first pages does what it says",
            typed,
        )
        .within(Duration::from_secs(420)),
    ]
}

fn typed(lab: &mut Lab) -> Result<()> {
    let desk = Desk::new(lab)?;
    pods(lab)?;
    let mut router = None;
    for page in PAGES {
        if page == "bgp.md" {
            router = Some(bgp(lab)?);
        }
        let commands = commands(page)?;
        ensure!(!commands.is_empty(), "{page} has no commands");
        note(&format!("{page}: {} commands", commands.len()))?;
        for typed in commands {
            desk.type_in(lab, router.as_ref(), &typed)
                .with_context(|| format!("{page}:{}: {}", typed.line, typed.command))?;
        }
    }
    Ok(())
}

/// What the page on BGP has applied before it asks for anything.
fn bgp(lab: &Lab) -> Result<Frr> {
    let router = Frr::start(&lab.host("r1"), &guide::router())?;
    lab.apply(guide::OBJECTS)?;
    for number in 1..=lab.topology().nodes {
        router.wait_established(node(number)[0], PATIENCE)?;
    }
    Ok(router)
}

/// Where a person sits: a folder with what a checkout and a release have, kubectl and helm.
struct Desk {
    folder: PathBuf,
    programs: PathBuf,
    kubeconfig: String,
}

impl Desk {
    fn new(lab: &Lab) -> Result<Self> {
        let folder = lab.run().dir().join("desk");
        let programs = folder.join("bin");
        fs::create_dir_all(&programs)?;
        for program in ["kubectl", "helm"] {
            symlink(tools::built(program)?, programs.join(program))?;
        }
        for part in ["charts", "crds"] {
            symlink(tools::root().join(part), folder.join(part))?;
        }
        let images = folder.join("target/images");
        fs::create_dir_all(&images)?;
        for image in lab.images_of_version(env!("CARGO_PKG_VERSION"))? {
            let name = image
                .file_stem()
                .context("a name")?
                .to_string_lossy()
                .into_owned();
            fs::rename(image, images.join(format!("{name}-amd64.oci.tar")))?;
        }
        let source = release::source::Source::read(tools::root())?;
        let flat = release::chart::flat(&source, &tools::built("helm")?)?;
        fs::write(folder.join("install.yaml"), flat)?;
        Ok(Self {
            folder,
            programs,
            kubeconfig: lab.kubeconfig(),
        })
    }

    fn type_in(&self, lab: &Lab, router: Option<&Frr>, typed: &Typed) -> Result<()> {
        if ELSEWHERE.contains(&typed.command.as_str()) {
            return Ok(());
        }
        let host = match typed.prompt {
            Prompt::Vtysh => {
                let router = router.context("no router yet")?;
                return router.show(&typed.command).map(drop);
            }
            Prompt::Cluster => None,
            Prompt::Client => Some("cl"),
            Prompt::Node => Some("n1"),
            Prompt::Router => Some("r1"),
        };
        let mut command = match host {
            Some(host) => {
                let mut command = Command::new("nsenter");
                let namespace = lab.host(host).namespace();
                command
                    .arg(format!("--net=/run/netns/{namespace}"))
                    .arg("bash");
                command
            }
            None => Command::new("bash"),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        let output = command
            .args(["-euo", "pipefail", "-c", &typed.command])
            .current_dir(&self.folder)
            .env("PATH", format!("{}:{path}", self.programs.display()))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.folder)
            .env(
                "CONTAINERD_ADDRESS",
                lab.run().dir().join("n1/containerd.sock"),
            )
            .output()?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!(
                "{}: {}",
                output.status,
                String::from_utf8_lossy(&said).trim()
            );
        }
        Ok(())
    }
}
