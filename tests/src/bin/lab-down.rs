//! `make down`: ends labs that were kept up, and what killed runs left behind.

use std::io::{self, Write};

use anyhow::Result;

fn main() -> Result<()> {
    let done = lab::run::down()?;
    let mut stdout = io::stdout();
    for line in &done {
        writeln!(stdout, "{line}")?;
    }
    if done.is_empty() {
        writeln!(stdout, "nothing was left to end")?;
    }
    Ok(())
}
