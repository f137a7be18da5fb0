//! Builds the part of the runner that is machine code; see `runner/native`.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    let source = "runner/native/fork_loop.rs";
    println!("cargo::rerun-if-changed={source}");
    let variable =
        |name: &str| std::env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}"));
    let target = PathBuf::from(variable("OUT_DIR")).join("fork_loop.so");
    let status = Command::new(variable("RUSTC"))
        .args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "fork_loop"])
        .args(["-C", "panic=abort", "-C", "opt-level=s", "-C", "strip=symbols"])
        // It is loaded into an interpreter and needs nothing but the kernel.
        .args(["-C", "link-arg=-nostdlib", "-C", "relocation-model=pic"])
        .arg("--target")
        .arg(variable("TARGET"))
        .arg("-o")
        .arg(&target)
        .arg(source)
        .status()
        .unwrap_or_else(|error| panic!("rustc can't be started: {error}"));
    assert!(status.success(), "{source} does not build");
}
