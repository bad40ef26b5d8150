use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use release::image::Image;
use release::program::PROGRAMS;
use release::source::Source;
use release::{bill, changelog, chart, sums};

/// Makes what is published of Seamark.
#[derive(Debug, Parser)]
#[command(name = "release")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Writes the generated files of the chart anew.
    Gen,
    /// Packs both programs into images, with their bills of materials.
    Image {
        /// Folder with the static binaries.
        #[arg(long)]
        binaries: PathBuf,
        /// Folder to write to; made if it is not there.
        #[arg(long)]
        out: PathBuf,
        /// The target that they were built for.
        #[arg(long, default_value = "x86_64-unknown-linux-gnu")]
        target: String,
    },
    /// Images, chart, flat manifest, changelog and checksums of a version.
    All {
        /// The version, which must be the workspace's.
        #[arg(long)]
        version: String,
        /// Folder with the static binaries.
        #[arg(long)]
        binaries: PathBuf,
        /// Folder to write to; emptied first.
        #[arg(long)]
        out: PathBuf,
        /// The target that they were built for.
        #[arg(long, default_value = "x86_64-unknown-linux-gnu")]
        target: String,
        /// Helm.
        #[arg(long)]
        helm: PathBuf,
    },
    /// The flat manifest, to standard output.
    Flat {
        /// Helm.
        #[arg(long)]
        helm: PathBuf,
    },
}

fn main() -> Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize()?;
    let source = Source::read(&root)?;
    match Args::parse().command {
        Command::Gen => generate(&source),
        Command::Image {
            binaries,
            out,
            target,
        } => {
            fs::create_dir_all(&out)?;
            images(&source, &binaries, &out, &target)
        }
        Command::Flat { helm } => say(&chart::flat(&source, &helm)?),
        Command::All {
            version,
            binaries,
            out,
            target,
            helm,
        } => {
            ensure!(
                version == source.version,
                "the version of the workspace is {}, not {version}: write it in Cargo.toml, run \
                 `make gen`, and commit",
                source.version
            );
            ensure!(
                !source.revision.ends_with("-dirty"),
                "the checkout has changes that are in no commit: commit them, or put them away"
            );
            if out.exists() {
                fs::remove_dir_all(&out)?;
            }
            fs::create_dir_all(&out)?;
            images(&source, &binaries, &out, &target)?;
            chart::package(&source, &helm, &out)?;
            fs::write(out.join("install.yaml"), chart::flat(&source, &helm)?)?;
            let text = fs::read_to_string(source.root.join("CHANGELOG.md"))?;
            let section = changelog::section(&text, &version)?;
            fs::write(out.join(format!("CHANGELOG-{version}.md")), section)?;
            let sums = sums::of_folder(&out)?;
            fs::write(out.join("SHA256SUMS"), &sums)?;
            say(&sums)
        }
    }
}

fn generate(source: &Source) -> Result<()> {
    for file in chart::generated(source)? {
        let path = source.root.join(&file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, file.text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn images(source: &Source, binaries: &Path, out: &Path, target: &str) -> Result<()> {
    let architecture = if target.starts_with("aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    for program in &PROGRAMS {
        let image = Image::pack(program, &binaries.join(program.name), architecture, source)?;
        let name = format!("{}-{}", program.name, source.version);
        let path = out.join(format!("{name}-{architecture}.oci.tar"));
        fs::write(&path, &image.archive)?;
        let bill = bill::of(program, target, source)?;
        fs::write(out.join(format!("{name}-{architecture}.cdx.json")), bill)?;
        let mebibytes = f64::from(u32::try_from(image.size)?) / f64::from(1 << 20);
        let shown = path.display();
        say(&format!(
            "{shown}  {mebibytes:.1} MiB  {}  {}\n",
            image.reference, image.digest
        ))?;
    }
    Ok(())
}

fn say(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
