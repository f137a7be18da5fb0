//! No file names a path of the machine it was written on.

use std::path::Path;

use crate::repository::Repository;

/// Folders of a home that only a machine's own configuration would name.
const OF_TOOLS: &[&str] = &[".cargo", ".pyenv", ".rustup", ".local", ".cache"];

/// Every line with the path of this checkout, or of this user's tools.
pub(crate) fn check(repository: &Repository) -> anyhow::Result<Vec<String>> {
    let own = paths(&repository.root, std::env::home_dir().as_deref());
    let mut faults = Vec::new();
    for file in &repository.files {
        let Some(text) = repository.text(file)? else { continue };
        for (at, line) in text.lines().enumerate() {
            if let Some(path) = own.iter().find(|path| line.contains(path.as_str())) {
                let line = at + 1;
                faults
                    .push(format!("{file}:{line}: expected no path of this machine, found {path}"));
            }
        }
    }
    Ok(faults)
}

fn paths(root: &Path, home: Option<&Path>) -> Vec<String> {
    let tools = home.into_iter().flat_map(|home| OF_TOOLS.iter().map(|tool| home.join(tool)));
    std::iter::once(root.to_owned())
        .chain(tools)
        .map(|path| format!("{}/", path.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_and_the_tools_of_the_home_are_looked_for() {
        let paths = paths(Path::new("/srv/checkout"), Some(Path::new("/home/ada")));
        assert!(paths.contains(&"/srv/checkout/".to_owned()));
        assert!(paths.contains(&"/home/ada/.cargo/".to_owned()));
        assert!(!paths.iter().any(|path| path == "/home/ada/"));
    }
}
