//! What the pure cores take, measured by examples of their own crates, which stand beside this
//! program.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::report::Target::{AtLeast, AtMost, Stated};
use crate::report::{Figure, Report};

/// An allocation in a pool that is almost full.
pub(crate) const ALLOCATOR: &[Figure] = &[
    ("alloc_ns_per_op_full90_v4_16", "ns", AtMost(1_000.0)),
    ("alloc_ns_per_op_full90_v6_48", "ns", AtMost(1_000.0)),
];

/// BGP messages.
pub(crate) const WIRE: &[Figure] = &[
    ("bgp_encode_prefixes_per_s", "/s", AtLeast(10_000_000.0)),
    ("bgp_decode_updates_per_s", "/s", Stated),
];

/// A plan for 10,000 Services after one of them changed: three BGP peers are told the same, each
/// something else, or layer 2 announces them as well.
pub(crate) const PLAN: &[Figure] = &[
    ("plan_10k_ms", "ms", Stated),
    ("plan_10k_apart_ms", "ms", Stated),
    ("plan_10k_both_ms", "ms", Stated),
];

pub(crate) fn allocator(report: &mut Report) -> Result<()> {
    measure("alloc_ns", report)
}

pub(crate) fn wire(report: &mut Report) -> Result<()> {
    measure("wire_per_s", report)
}

pub(crate) fn plan(report: &mut Report) -> Result<()> {
    measure("plan_10k_ms", report)
}

/// Record what an example says, a figure a line.
fn measure(example: &str, report: &mut Report) -> Result<()> {
    let program = env::current_exe()?.with_file_name("examples").join(example);
    let output = Command::new(&program)
        .output()
        .with_context(|| format!("running {}; `make bench` builds it", program.display()))?;
    ensure!(output.status.success(), "{example}: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, value, _unit] = *words else {
            continue;
        };
        report.record(name, value.parse()?)?;
    }
    Ok(())
}
