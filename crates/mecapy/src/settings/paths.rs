//! Folders and files that settings stand for where nothing is said.

use std::path::{Component, Path, PathBuf};

use store::url::Location;

use super::Variables;

/// `$XDG_DATA_HOME/mecapy`, else `~/.local/share/mecapy`, else a folder of
/// the current one: a service without a home must still find its data again.
pub(super) fn data(variables: &Variables) -> PathBuf {
    if let Some(folder) = variables.get("XDG_DATA_HOME").map(Path::new).filter(|p| p.is_absolute())
    {
        return folder.join("mecapy");
    }
    match variables.home() {
        Some(home) => home.join(".local/share/mecapy"),
        None => PathBuf::from(".mecapy"),
    }
}

/// `$XDG_CONFIG_HOME/mecapy/credentials.json`, else the same below
/// `~/.config`, else below the current folder.
pub(super) fn credentials(variables: &Variables) -> PathBuf {
    let named = variables.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let folder = named.or_else(|| Some(variables.home()?.join(".config")));
    folder.map_or_else(|| PathBuf::from(".mecapy"), |f| f.join("mecapy")).join("credentials.json")
}

/// A path that means the same wherever it is read.
pub(super) fn absolute(path: PathBuf) -> PathBuf {
    // Only an empty path or a vanished working folder can't be made absolute;
    // whoever opens it then says so.
    std::path::absolute(&path).unwrap_or(path)
}

/// Folders of whole Python installations that exist on this machine.
pub(super) fn version_roots(variables: &Variables) -> Vec<PathBuf> {
    let pyenv = match variables.get("PYENV_ROOT") {
        Some(root) => Some(PathBuf::from(root)),
        None => variables.home().map(|home| home.join(".pyenv")),
    };
    pyenv.map(|root| root.join("versions")).filter(|folder| folder.is_dir()).into_iter().collect()
}

/// The file of a `sqlite:` URL. `sqlite:///./dev.db` and `sqlite://dev.db`
/// are relative, `sqlite:///var/dev.db` and `sqlite:////var/dev.db` are not.
fn of_sqlite_url(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest).split('?').next()?;
    let relative = path.strip_prefix('/').filter(|rest| {
        matches!(
            Path::new(rest).components().next(),
            Some(Component::CurDir | Component::ParentDir)
        )
    });
    let path = relative.unwrap_or(path);
    let path = if path.starts_with("//") { &path[1..] } else { path };
    (!path.trim_matches('/').is_empty()).then(|| PathBuf::from(path))
}

/// The database that a URL names; nothing where no URL is one. SQLAlchemy's
/// `postgresql+driver:` is PostgreSQL all the same.
pub(super) fn of_database_url(url: &str) -> Option<Location> {
    let (scheme, rest) = url.split_once(':')?;
    match scheme.split('+').next() {
        Some("postgresql" | "postgres") => store::url::parse(&format!("postgresql:{rest}")).ok(),
        _ => of_sqlite_url(url).map(Location::Sqlite),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_url_is_relative_only_where_it_says_so() {
        let path = |url| of_sqlite_url(url).map(|path| path.display().to_string());
        assert_eq!(path("sqlite:///./dev.db").as_deref(), Some("./dev.db"));
        assert_eq!(path("sqlite:///../dev.db").as_deref(), Some("../dev.db"));
        assert_eq!(path("sqlite://dev.db").as_deref(), Some("dev.db"));
        assert_eq!(path("sqlite:///srv/mecapy.db").as_deref(), Some("/srv/mecapy.db"));
        assert_eq!(path("sqlite:////srv/mecapy.db").as_deref(), Some("/srv/mecapy.db"));
        assert_eq!(path("sqlite:///./dev.db?mode=rwc").as_deref(), Some("./dev.db"));
        assert_eq!(path("sqlite://"), None);
    }

    #[test]
    fn the_data_folder_follows_the_desktop_convention() {
        let of = |pairs: [(&str, &str); 2]| data(&Variables::from(pairs));
        assert_eq!(
            of([("HOME", "/home/ada"), ("X", "")]),
            Path::new("/home/ada/.local/share/mecapy")
        );
        assert_eq!(of([("HOME", "/h"), ("XDG_DATA_HOME", "/d")]), Path::new("/d/mecapy"));
        assert_eq!(
            of([("HOME", "/h"), ("XDG_DATA_HOME", "rel")]),
            Path::new("/h/.local/share/mecapy")
        );
    }
}
