use std::process::ExitCode;

use clap::Parser;
use controller::args::{Cli, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { command, run } = Cli::parse();
    let outcome = match command {
        None => controller::run::run(run).await,
        Some(Command::Uninstall(args)) => controller::uninstall::run(args).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("seamark-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}
