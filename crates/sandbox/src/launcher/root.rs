//! What the file tree of a sandbox holds, as a plan from values to values.

use std::path::{Component, Path, PathBuf};

use crate::wire::TemplatePlan;

/// Where the run's own writable file system appears.
pub(crate) const SCRATCH: &str = "scratch";
/// Where the code folder appears.
pub(crate) const CODE: &str = "code";
/// Where the input files appear.
pub(crate) const INPUTS: &str = "inputs";

/// The runner, by path inside the sandbox.
const RUNNER: &[(&str, &[u8])] = &[
    ("runner/template.py", include_bytes!("../../runner/template.py")),
    ("runner/mecapy_runner/__init__.py", include_bytes!("../../runner/__init__.py")),
    ("runner/mecapy_runner/blas.py", include_bytes!("../../runner/blas.py")),
    ("runner/mecapy_runner/bytecode.py", include_bytes!("../../runner/bytecode.py")),
    ("runner/mecapy_runner/calculate.py", include_bytes!("../../runner/calculate.py")),
    ("runner/mecapy_runner/child.py", include_bytes!("../../runner/child.py")),
    ("runner/mecapy_runner/convert.py", include_bytes!("../../runner/convert.py")),
    ("runner/mecapy_runner/encode.py", include_bytes!("../../runner/encode.py")),
    ("runner/mecapy_runner/exercises.py", include_bytes!("../../runner/exercises.py")),
    (
        "runner/mecapy_runner/fork_loop.so",
        include_bytes!(concat!(env!("OUT_DIR"), "/fork_loop.so")),
    ),
    ("runner/mecapy_runner/kernel.py", include_bytes!("../../runner/kernel.py")),
    ("runner/mecapy_runner/memory.py", include_bytes!("../../runner/memory.py")),
    ("runner/mecapy_runner/rehearsal.py", include_bytes!("../../runner/rehearsal.py")),
    ("runner/mecapy_runner/unit_tests.py", include_bytes!("../../runner/unit_tests.py")),
];

/// A file tree; all paths but the sources of binds are relative to its root.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RootPlan {
    /// Folders, parents first.
    pub(crate) folders: Vec<PathBuf>,
    /// Symbolic links: path, target.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    /// Small files: path, content.
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
    /// Read-only views of host paths.
    pub(crate) binds: Vec<Bind>,
    /// Where the packages appear, in order.
    pub(crate) packages: Vec<PathBuf>,
}

/// A host path seen inside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) is_file: bool,
}

/// What the host has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Folder,
    File,
    Link(PathBuf),
}

/// Looks at the running system.
pub(crate) fn look(path: &Path) -> Found {
    match std::fs::symlink_metadata(path) {
        Err(_) => Found::Nothing,
        Ok(entry) if entry.is_symlink() => {
            std::fs::read_link(path).map_or(Found::Nothing, Found::Link)
        }
        Ok(entry) if entry.is_dir() => Found::Folder,
        Ok(_) => Found::File,
    }
}

/// Lays out the tree for a template. `linker_cache` is the host's
/// `/etc/ld.so.cache`, which names libraries and no secrets.
pub(crate) fn plan(
    template: &TemplatePlan,
    linker_cache: Option<Vec<u8>>,
    look: &dyn Fn(&Path) -> Found,
) -> Result<RootPlan, String> {
    let mut root = RootPlan::default();
    for folder in ["etc", "dev", "proc", SCRATCH, CODE, INPUTS, "packages"] {
        root.folder(Path::new(folder));
    }
    root.link("tmp", "scratch/tmp");
    root.link("outputs", "scratch/outputs");
    root.link("dev/shm", "/scratch/shm");
    root.file("etc/passwd", b"sandbox:x:1000:1000:sandbox:/tmp:/sbin/nologin\n".to_vec());
    root.file("etc/group", b"sandbox:x:1000:\n".to_vec());
    root.file("etc/hosts", b"127.0.0.1 localhost\n".to_vec());
    root.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files\n".to_vec());
    if let Some(cache) = linker_cache {
        root.file("etc/ld.so.cache", cache);
    }
    for (path, content) in RUNNER {
        root.file(path, content.to_vec());
    }

    for path in ["/usr/lib", "/usr/lib64", "/lib", "/lib64"].map(Path::new) {
        match look(path) {
            Found::Folder => root.bind(path, path, false)?,
            Found::Link(target) => root.link(inside(path)?, target),
            Found::File | Found::Nothing => {}
        }
    }
    // Outer folders first, so that what they cover needs no mount of its own.
    let mut libraries = template.library_dirs.clone();
    libraries.sort();
    for path in &libraries {
        match look(path) {
            Found::Folder => root.bind(path, path, false)?,
            found => return Err(format!("{} is {found:?}, expected a folder", path.display())),
        }
    }
    match look(&template.executable) {
        Found::File => root.bind(&template.executable, &template.executable, true)?,
        found => {
            let path = template.executable.display();
            return Err(format!("{path} is {found:?}, expected the interpreter's own file"));
        }
    }
    for (index, path) in template.packages.iter().enumerate() {
        let target = PathBuf::from(format!("/packages/{index}"));
        match look(path) {
            Found::Folder => root.bind(path, &target, false)?,
            found => {
                return Err(format!(
                    "{} is {found:?}, expected a folder of packages",
                    path.display()
                ));
            }
        }
        root.packages.push(target);
    }
    Ok(root)
}

impl RootPlan {
    /// An empty tree with its mount points.
    pub(crate) fn for_proof() -> Self {
        let mut root = Self::default();
        for folder in ["dev", "proc", SCRATCH] {
            root.folder(Path::new(folder));
        }
        root
    }

    /// A folder and its parents.
    fn folder(&mut self, path: &Path) {
        let parents: Vec<&Path> = path.ancestors().filter(|p| !p.as_os_str().is_empty()).collect();
        for parent in parents.into_iter().rev() {
            if !self.folders.iter().any(|known| known == parent) {
                self.folders.push(parent.to_path_buf());
            }
        }
    }

    fn link(&mut self, path: impl Into<PathBuf>, target: impl Into<PathBuf>) {
        let path = path.into();
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        self.links.push((path, target.into()));
    }

    fn file(&mut self, path: &str, content: Vec<u8>) {
        if let Some(parent) = Path::new(path).parent() {
            self.folder(parent);
        }
        self.files.push((path.into(), content));
    }

    /// A bind, unless a folder bound before covers it already.
    fn bind(&mut self, source: &Path, target: &Path, is_file: bool) -> Result<(), String> {
        let target = inside(target)?;
        let covered = self.binds.iter().any(|bind| {
            target
                .strip_prefix(&bind.target)
                .is_ok_and(|rest| source == bind.source.join(rest) || source == bind.source)
        });
        if covered {
            return Ok(());
        }
        if is_file {
            if let Some(parent) = target.parent() {
                self.folder(parent);
            }
        } else {
            self.folder(&target);
        }
        self.binds.push(Bind { source: source.to_path_buf(), target, is_file });
        Ok(())
    }
}

/// An absolute path without `..`, relative to the new root, outside the
/// folders that the sandbox makes itself.
fn inside(path: &Path) -> Result<PathBuf, String> {
    let relative =
        path.strip_prefix("/").map_err(|_| format!("{} is not absolute", path.display()))?;
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let own =
        ["etc", "dev", "proc", "sys", "scratch", "code", "inputs", "runner", "tmp", "outputs"];
    let first = relative.components().next();
    if !plain
        || first.is_none()
        || own.iter().any(|name| first == Some(Component::Normal(name.as_ref())))
    {
        return Err(format!(
            "{} can't be shown inside a sandbox; install the interpreter below a folder such as /opt",
            path.display()
        ));
    }
    Ok(relative.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(executable: &str, dirs: &[&str]) -> TemplatePlan {
        TemplatePlan {
            executable: executable.into(),
            library_dirs: dirs.iter().map(PathBuf::from).collect(),
            packages: vec!["/srv/env".into()],
            memory_bytes: 0,
            within: std::time::Duration::ZERO,
        }
    }

    fn debian(path: &Path) -> Found {
        match path.to_str().unwrap() {
            "/lib" => Found::Link("usr/lib".into()),
            "/lib64" => Found::Link("usr/lib64".into()),
            path if path.ends_with("python3.11") && path.contains("bin") => Found::File,
            path if path.starts_with("/usr/lib")
                || path.starts_with("/root/p")
                || path == "/srv/env" =>
            {
                Found::Folder
            }
            _ => Found::Nothing,
        }
    }

    fn targets(root: &RootPlan) -> Vec<&str> {
        root.binds.iter().map(|bind| bind.target.to_str().unwrap()).collect()
    }

    #[test]
    fn the_systems_python_needs_only_its_file_beside_the_libraries() {
        let spec = template("/usr/bin/python3.11", &["/usr/lib/python3.11"]);
        let root = plan(&spec, None, &debian).unwrap();
        assert_eq!(targets(&root), ["usr/lib", "usr/lib64", "usr/bin/python3.11", "packages/0"]);
        assert!(root.binds[2].is_file);
        assert!(root.links.contains(&("lib64".into(), "usr/lib64".into())));
    }

    #[test]
    fn an_own_prefix_is_bound_at_its_own_path_with_new_parents() {
        let spec = template("/root/p/3.11/bin/python3.11", &["/root/p/3.11"]);
        let root = plan(&spec, None, &debian).unwrap();
        assert_eq!(targets(&root), ["usr/lib", "usr/lib64", "root/p/3.11", "packages/0"]);
        assert!(root.folders.contains(&"root/p".into()));
    }

    #[test]
    fn nothing_else_of_the_host_is_in_the_tree() {
        let spec = template("/usr/bin/python3.11", &[]);
        let root = plan(&spec, None, &debian).unwrap();
        let tops: std::collections::BTreeSet<_> = root
            .folders
            .iter()
            .filter_map(|path| path.components().next())
            .map(|part| part.as_os_str().to_str().unwrap().to_owned())
            .collect();
        let expected =
            ["code", "dev", "etc", "inputs", "packages", "proc", "runner", "scratch", "usr"];
        assert_eq!(tops.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_library_folder_that_would_hide_the_sandboxes_own_is_refused() {
        let found = |_: &Path| Found::Folder;
        for dir in ["/", "/etc", "/proc/self", "relative", "/opt/../etc"] {
            let refused = plan(&template("/usr/bin/python3.11", &[dir]), None, &found);
            assert!(refused.is_err(), "{dir}");
        }
    }
}
