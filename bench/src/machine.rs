//! What the figures were measured on.

use std::fs;

/// Names and values, for the head of a report.
pub(crate) fn about() -> Vec<(String, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let virtual_machine = cpu.contains("hypervisor");
    let processors = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kind = if virtual_machine { "virtual" } else { "real" };
    vec![
        ("processor".into(), field("model name").unwrap_or_else(|| "unknown".into())),
        ("cores".into(), format!("{processors} {kind}")),
        ("kernel".into(), kernel.trim().to_owned()),
        ("io-shared".into(), env!("CARGO_PKG_VERSION").into()),
    ]
}
