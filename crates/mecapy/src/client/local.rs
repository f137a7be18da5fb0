//! How the command line finds the server of this machine.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use domain::Text;
use serde::{Deserialize, Serialize};

use super::Credentials;
use crate::exit::{Exit, Failure};
use crate::settings::{Secret, Settings};

/// What `<data>/server.json` holds while a server runs.
#[derive(Debug, Serialize, Deserialize)]
struct ServerFile {
    /// The server's address as this machine reaches it.
    url: String,
    /// The server's process.
    pid: u32,
}

/// The file that tells a server's address; it goes when this is dropped.
#[derive(Debug)]
pub struct Announced {
    /// The server's address as this machine reaches it.
    pub url: String,
    file: PathBuf,
}

impl Drop for Announced {
    fn drop(&mut self) {
        // A file that stays behind only sends clients to a closed port.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Tells this machine's clients where the server listens.
///
/// # Errors
/// When the data folder can't be written.
pub fn announce(settings: &Settings, listening: SocketAddr) -> std::io::Result<Announced> {
    let host = match listening.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => "127.0.0.1".to_owned(),
        ip if ip.is_unspecified() => "[::1]".to_owned(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let url = format!("http://{host}:{}", listening.port());
    let content = serde_json::to_vec(&ServerFile { url: url.clone(), pid: std::process::id() })?;
    let file = settings.server_file();
    // Readers see the old file or the new one, never half of one.
    let beside = file.with_extension("json.new");
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&beside)?
        .write_all(&content)?;
    std::fs::rename(&beside, &file)?;
    Ok(Announced { url, file })
}

/// The address and the token to use.
pub(super) fn server(settings: &Settings) -> Result<(String, Option<Secret>), Failure> {
    let found = read(&settings.server_file());
    let local = found.as_ref().ok().cloned().flatten();
    let mut kept = Credentials::read(&settings.credentials)?;
    let named = settings.api_url.clone().or_else(|| kept.server.take());
    let Some(url) = named.or_else(|| local.clone()) else {
        let data = settings.data.display();
        if let Err(error) = found {
            return Err(Failure::new(
                Exit::Unreachable,
                Text::new(
                    format!(
                        "{data} can't be read ({error}), so whether a server runs there isn't known: it is another user's. Call this as that user, or log in with `mecapy login --api-url URL`, with the address that `mecapy up` printed there"
                    ),
                    format!(
                        "{data} ne peut pas être lu ({error}), on ne sait donc pas si un serveur y tourne : il est à un autre utilisateur. Lancez ceci comme lui, ou connectez-vous avec `mecapy login --api-url URL`, à l’adresse que `mecapy up` y a affichée"
                    ),
                ),
            ));
        }
        return Err(Failure::new(
            Exit::Unreachable,
            Text::new(
                format!(
                    "no server runs on this machine with its data in {data}. Start one with `mecapy up`, or log in to another with `mecapy login --api-url URL`"
                ),
                format!(
                    "aucun serveur ne tourne sur cette machine avec ses données dans {data}. Démarrez-en un avec `mecapy up`, ou connectez-vous à un autre avec `mecapy login --api-url URL`"
                ),
            ),
        ));
    };
    // A token that a login kept goes to no other server than its own.
    let kept = kept.servers.remove(&url).map(|kept| Secret::new(kept.token));
    let token = settings.token.clone().or(kept).or_else(|| {
        // The administrator's token goes to no other server than its own.
        (local.as_deref() == Some(url.as_str()))
            .then(|| std::fs::read_to_string(settings.admin_token_file()).ok())
            .flatten()
            .map(|token| Secret::new(token.trim()))
    });
    Ok((url, token))
}

/// The address of the server that runs, if one does.
fn read(file: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read(file) {
        Ok(content) => {
            Ok(serde_json::from_slice::<ServerFile>(&content).ok().map(|server| server.url))
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether a URL's host is this machine itself.
pub(super) fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Flags, Variables};

    fn settings(data: &Path, api_url: Option<&str>) -> Settings {
        let flags = Flags {
            data: Some(data.to_owned()),
            api_url: api_url.map(str::to_owned),
            ..Flags::default()
        };
        let home = data.display().to_string();
        Settings::load(&Variables::from([("HOME", home.as_str())]), &flags).unwrap()
    }

    fn keep(settings: &Settings, url: &str, token: &str, named: bool) {
        let kept = crate::client::Kept { token: token.to_owned(), made_here: true };
        let mut credentials = Credentials::read(&settings.credentials).unwrap();
        credentials.servers.insert(url.to_owned(), kept);
        credentials.server = named.then(|| url.to_owned());
        credentials.write(&settings.credentials).unwrap();
    }

    #[test]
    fn a_kept_token_goes_to_its_own_server_and_to_no_other() {
        let data = tempfile::tempdir().unwrap();
        let unnamed = settings(data.path(), None);
        keep(&unnamed, "https://calc.example", "kept", true);
        let (url, token) = server(&unnamed).unwrap();
        assert_eq!((url.as_str(), token.unwrap().expose()), ("https://calc.example", "kept"));
        for other in ["https://calc.example.org", "http://calc.example", "https://calc.example:81"]
        {
            let (url, token) = server(&settings(data.path(), Some(other))).unwrap();
            assert_eq!((url.as_str(), token), (other, None));
        }
    }

    #[test]
    fn who_logged_in_here_is_no_administrator_any_more() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("admin.token"), "mp_secret\n").unwrap();
        let settings = settings(data.path(), None);
        let announced = announce(&settings, "127.0.0.1:8123".parse().unwrap()).unwrap();
        keep(&settings, &announced.url, "kept", false);
        assert_eq!(server(&settings).unwrap().1.unwrap().expose(), "kept");
    }

    #[test]
    fn a_running_servers_address_and_token_are_found_and_go_with_it() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("admin.token"), "mp_secret\n").unwrap();
        let settings = settings(data.path(), None);
        let announced = announce(&settings, "0.0.0.0:8123".parse().unwrap()).unwrap();
        let (url, token) = server(&settings).unwrap();
        assert_eq!(url, "http://127.0.0.1:8123");
        assert_eq!(token.unwrap().expose(), "mp_secret");
        drop(announced);
        let failure = server(&settings).unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(failure.text.en.contains("Start one with `mecapy up`"));
        assert!(failure.text.fr.contains("Démarrez-en un avec `mecapy up`"));
    }

    #[test]
    fn the_administrators_token_goes_to_no_other_server() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join("admin.token"), "mp_secret\n").unwrap();
        let elsewhere = settings(data.path(), Some("https://calc.example"));
        let _announced = announce(&elsewhere, "127.0.0.1:8123".parse().unwrap()).unwrap();
        let (url, token) = server(&elsewhere).unwrap();
        assert_eq!((url.as_str(), token), ("https://calc.example", None));
    }

    #[test]
    fn this_machines_own_addresses_are_known() {
        for url in ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80/x"] {
            assert!(is_loopback(url), "{url}");
        }
        assert!(!is_loopback("https://calc.example:443"));
        assert!(!is_loopback("http://127.evil.example"));
    }
}
