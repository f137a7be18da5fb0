//! Nothing of a wheel runs on the host: not at the lock, not at the build,
//! not at the bytecode.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use environment::{CompileBytecode, Interpreter};
use test_support::wheels::Wheel;

use crate::fixture::{Fixture, lock, watched};

/// Compiles without a sandbox, which only these tests' own wheels may see.
/// It starts the interpreter as a sandbox does, isolated and without `site`.
pub(crate) struct OnTheHost {
    pub(crate) seen: Mutex<Vec<PathBuf>>,
}

#[async_trait]
impl CompileBytecode for OnTheHost {
    async fn compile(&self, interpreter: &Interpreter, site: &Path) -> Result<u64, String> {
        self.seen.lock().unwrap().push(site.to_path_buf());
        let status = tokio::process::Command::new(&interpreter.executable)
            .args(["-I", "-S", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"])
            .arg(site)
            .status()
            .await
            .map_err(|error| error.to_string())?;
        if status.success() { Ok(bytecode_below(site)) } else { Err(status.to_string()) }
    }
}

fn bytecode_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| match path.is_dir() {
            true => bytecode_below(&path),
            false => u64::from(path.extension().is_some_and(|ending| ending == "pyc")),
        })
        .sum()
}

#[tokio::test]
async fn a_pth_file_that_writes_a_file_never_gets_to_write_it() {
    let mut fixture = Fixture::with_wheels();
    let trace = fixture.folder.path().join("executed");
    let write = format!("open({:?}, 'a').write('x')", trace.display().to_string());
    Wheel::new("evil", "1.0")
        .file("evil.pth", format!("import os; {write}\n"))
        .file("sitecustomize.py", format!("{write}\n"))
        .file("usercustomize.py", format!("{write}\n"))
        .file("evil/__init__.py", format!("{write}\n"))
        .file("json.py", format!("{write}\n"))
        .file("evil-1.0.data/scripts/evil", format!("#!python\n{write}\n"))
        .file("evil-1.0.data/data/evil-data.pth", format!("import os; {write}\n"))
        .write_into(&fixture.wheels())
        .unwrap();
    let environments = fixture.open().await;
    let compiler = OnTheHost { seen: Mutex::default() };
    let (log, lines) = watched();

    let lock = lock(&environments, &["evil"]).await;
    let built = environments.build(&lock, &compiler, &log).await.unwrap();
    // A second one finds the first in uv's cache, another path through uv.
    fixture.settings.root = fixture.folder.path().join("elsewhere");
    fixture.open().await.build(&lock, &compiler, &log).await.unwrap();

    assert!(!trace.exists(), "code of the wheel ran on the host");
    assert!(built.site.join("evil.pth").exists(), "the test is about a file that is there");
    assert!(built.site.join("evil/__pycache__").is_dir());
    assert!(built.description.bytecode >= 4, "{:?}", built.description);
    assert_eq!(compiler.seen.lock().unwrap().len(), 2);
    assert!(lines.lock().unwrap().iter().any(|line| line.contains("compiled in the sandbox")));
}

#[tokio::test]
async fn the_wheels_become_readable_for_all_writable_for_nobody_else_and_unprivileged() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::with_wheels();
    Wheel::new("plain", "1.0").file("plain/deep/x.py", "1").write_into(&fixture.wheels()).unwrap();
    let environments = fixture.open().await;
    let lock = lock(&environments, &["plain"]).await;
    let built = crate::fixture::build(&environments, &lock).await.unwrap();
    let mode = |path: &str| built.site.join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("plain/deep/x.py"), 0o644);
    assert_eq!((mode("plain/deep"), mode(""), mode("..")), (0o755, 0o755, 0o755));
    assert!(!built.site.join(".lock").exists());
}
