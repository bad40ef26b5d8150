//! What one allocation takes in a pool that is almost full; measured by an example of the
//! allocator's own crate, which stands beside this program.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::report::Target::AtMost;
use crate::report::{Figure, Report};

pub(crate) const FIGURES: &[Figure] = &[
    ("alloc_ns_per_op_full90_v4_16", "ns", AtMost(1_000.0)),
    ("alloc_ns_per_op_full90_v6_48", "ns", AtMost(1_000.0)),
];

pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let program = env::current_exe()?
        .with_file_name("examples")
        .join("alloc_ns");
    let output = Command::new(&program)
        .output()
        .with_context(|| format!("running {}; `make bench` builds it", program.display()))?;
    ensure!(output.status.success(), "alloc_ns: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, value, "ns"] = *words else {
            continue;
        };
        report.record(name, value.parse()?)?;
    }
    Ok(())
}
