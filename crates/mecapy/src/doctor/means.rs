//! How things are installed and set on this machine.

use super::facts::Host;

/// What remedies are written with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Means {
    root: bool,
    packages: Option<&'static Packages>,
}

/// What a distribution calls the packages.
#[derive(Debug)]
struct Packages {
    /// Words of `ID` and `ID_LIKE` in `/etc/os-release`.
    ids: &'static [&'static str],
    install: &'static str,
    uidmap: &'static str,
    python: &'static str,
}

const KNOWN: &[Packages] = &[
    Packages {
        ids: &["debian", "ubuntu"],
        install: "apt-get install",
        uidmap: "uidmap",
        python: "python3",
    },
    Packages {
        ids: &["fedora", "rhel", "centos"],
        install: "dnf install",
        uidmap: "shadow-utils",
        python: "python3",
    },
    Packages { ids: &["arch"], install: "pacman -S", uidmap: "shadow", python: "python" },
    Packages {
        ids: &["suse", "opensuse"],
        install: "zypper install",
        uidmap: "shadow",
        python: "python3",
    },
];

impl Means {
    pub(super) fn of(host: &Host) -> Self {
        let words = [host.os("ID"), host.os("ID_LIKE")];
        let words = || words.into_iter().flatten().flat_map(str::split_whitespace);
        let packages = KNOWN.iter().find(|known| words().any(|word| known.ids.contains(&word)));
        Self { root: host.uid == 0, packages }
    }

    /// A command for root, as this user gives it.
    pub(super) fn as_root(&self, command: &str) -> String {
        if self.root { command.to_owned() } else { format!("sudo {command}") }
    }

    /// The command that installs `newuidmap` and `newgidmap`.
    pub(super) fn install_uidmap(&self) -> Option<String> {
        self.packages.map(|p| self.as_root(&format!("{} {}", p.install, p.uidmap)))
    }

    /// The command that installs the distribution's Python.
    pub(super) fn install_python(&self) -> Option<String> {
        self.packages.map(|p| self.as_root(&format!("{} {}", p.install, p.python)))
    }

    /// The commands that set a kernel setting now and at every start.
    pub(super) fn set(&self, setting: &str) -> [String; 2] {
        let (tee, file) = (self.as_root("tee"), "/etc/sysctl.d/60-mecapy.conf");
        [self.as_root(&format!("sysctl -w {setting}")), format!("echo {setting} | {tee} -a {file}")]
    }
}
