//! The scenarios of the lab, one promise each. `make lab` runs them all, `make lab SCENARIO=words`
//! those whose name contains the words.

use std::process::ExitCode;

mod ground;

fn main() -> ExitCode {
    let scenarios = [ground::scenarios()].concat();
    lab::runner::main(&scenarios)
}
