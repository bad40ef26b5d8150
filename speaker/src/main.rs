//! The binary: reads the command line and runs.

use std::process::ExitCode;

use clap::Parser;
use speaker::args::Args;

fn main() -> ExitCode {
    match speaker::run::run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("seamark-speaker: {}", runtime::log::chain(&error));
            ExitCode::FAILURE
        }
    }
}
