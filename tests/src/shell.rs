//! Short commands run to their end, with errors that tell what they said.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Run a command to its end and return what it wrote; an exit code other than 0 is an error that
/// carries what it wrote to stderr.
pub(crate) fn run(command: &[&str]) -> Result<String> {
    checked(command, &output(command)?)
}

/// Run a command to its end, whatever its exit code.
pub(crate) fn output(command: &[&str]) -> Result<Output> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}: is it installed? `make setup` installs it"))
}

/// Run a command to its end with this text as its input.
pub(crate) fn feed(mut command: Command, input: &str) -> Result<String> {
    let shown = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    child
        .stdin
        .take()
        .context("no stdin")?
        .write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{shown}: {}: {}\ninput was:\n{input}",
            output.status,
            said.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn checked(command: &[&str], output: &Output) -> Result<String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{}`: {}: {}",
            command.join(" "),
            output.status,
            said.trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
