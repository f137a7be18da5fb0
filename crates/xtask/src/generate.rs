//! Pages that are written from the program's own tables.

use crate::reference;
use crate::repository::{Repository, run};

/// Writes them anew. Tests compare them, so a forgotten one is noticed.
pub(crate) fn generate(repository: &Repository) -> anyhow::Result<()> {
    let cargo = ["build", "--release", "--quiet", "--package", "mecapy"];
    run(&repository.root, "cargo", &cargo)?;
    for (lang, page) in [("en", "docs/settings.md"), ("fr", "docs/fr/settings.md")] {
        let text = run(&repository.root, "target/release/mecapy", &["settings", "--lang", lang])?;
        std::fs::write(repository.root.join(page), text)?;
    }
    reference::write(repository)
}
