use std::process::ExitCode;

use clap::Parser;
use controller::args::Args;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match controller::run::run(Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("seamark-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}
