//! The programs that `scripts/install-tools` and `scripts/install-test-servers`
//! put into the checkout.

use std::path::{Path, PathBuf};

/// The `uv` program that tests run.
///
/// # Panics
/// Where it is missing: run `scripts/install-tools`.
#[must_use]
pub fn uv() -> PathBuf {
    program("uv", "scripts/install-tools")
}

/// The S3 server that tests start.
///
/// # Panics
/// Where it is missing: run `scripts/install-test-servers`.
#[must_use]
pub fn s3s_fs() -> PathBuf {
    program("s3s-fs", "scripts/install-test-servers")
}

fn program(name: &str, script: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin").join(name);
    assert!(program.exists(), "{} is missing; run {script}", program.display());
    program
}
