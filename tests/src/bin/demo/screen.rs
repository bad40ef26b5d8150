//! What is written on the screen.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;

use anyhow::Result;
use lab::Lab;

pub(crate) fn bracketed(vip: IpAddr) -> String {
    match vip {
        IpAddr::V4(vip) => vip.to_string(),
        IpAddr::V6(vip) => format!("[{vip}]"),
    }
}

pub(crate) fn show(lab: &Lab, arguments: &[&str]) -> Result<()> {
    let mut text = format!("$ kubectl {}\n", arguments.join(" "));
    write!(text, "{}", lab.kubectl(arguments)?)?;
    say(&text)
}

pub(crate) fn title(text: &str) -> Result<()> {
    say(&format!("\n── {text}\n"))
}

pub(crate) fn say(text: &str) -> Result<()> {
    let mut screen = io::stdout().lock();
    screen.write_all(text.as_bytes())?;
    screen.flush()?;
    Ok(())
}
