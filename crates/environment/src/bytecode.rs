//! Bytecode compilation, which reads the wheels' code and therefore happens
//! in the sandbox, and the adoption of what it made.

use std::path::{Path, PathBuf};
use std::{fs, io};

use async_trait::async_trait;

use crate::interpreter::Interpreter;

/// Compiles the Python files of an environment in the sandbox.
///
/// The one who implements this runs [`COMPILE_SCRIPT`] as
/// `python -I -S -B -c SCRIPT SITE OUTPUT` with [`CompileJob::site`] bound
/// read-only and [`CompileJob::output`] writable, under a time limit of its
/// own, and answers once the sandbox has ended.
#[async_trait]
pub trait CompileBytecode: Send + Sync {
    /// Compiles, or says why not, in a sentence for the operator.
    async fn compile(&self, job: &CompileJob<'_>) -> Result<(), String>;
}

/// One environment to compile.
#[derive(Clone, Copy, Debug)]
pub struct CompileJob<'a> {
    /// The interpreter to compile with.
    pub interpreter: &'a Interpreter,
    /// The installed packages, to be bound read-only: their files are linked
    /// with the cache, and other environments share them.
    pub site: &'a Path,
    /// An empty folder, writable for every user, for the compiled files. They
    /// are copied into `site` afterwards by the host, which trusts no name in
    /// here.
    pub output: &'a Path,
}

/// Compiles every `.py` below the first argument into the same place below
/// the second. Files that don't compile are left out: wheels carry templates
/// and test data for other Python versions.
pub const COMPILE_SCRIPT: &str = include_str!("compile.py");

/// Leaves the environment without bytecode: for tests and for tools that
/// never run what they install.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutBytecode;

#[async_trait]
impl CompileBytecode for WithoutBytecode {
    async fn compile(&self, _: &CompileJob<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// Copies `*/__pycache__/*.pyc` of `output` to the same places in `site` and
/// answers how many there were. Anything else in `output` is left out: links
/// are not followed, and nothing that exists is replaced. Copies, because
/// these files are the sandbox's and not ours.
pub(crate) fn adopt(output: &Path, site: &Path) -> io::Result<u64> {
    let mut adopted = 0;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(output.join(&folder))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let place = folder.join(entry.file_name());
            if kind.is_dir() {
                // A folder that the wheels don't have holds nothing to adopt,
                // and a deep tree of such folders is not walked at all.
                if is_cache(&place) || is_real_folder(&site.join(&place)) {
                    folders.push(place);
                }
            } else if kind.is_file() && is_cache(&folder) && has_bytecode_name(&place) {
                adopted += u64::from(copy_new(&output.join(&place), &site.join(&place))?);
            }
        }
    }
    Ok(adopted)
}

fn is_cache(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name == "__pycache__")
}

fn has_bytecode_name(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "pyc")
}

fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

fn copy_new(from: &Path, to: &Path) -> io::Result<bool> {
    let Some(cache) = to.parent() else { return Ok(false) };
    let Some(package) = cache.parent() else { return Ok(false) };
    if !is_real_folder(package) {
        return Ok(false);
    }
    match fs::create_dir(cache) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    if !is_real_folder(cache) || fs::symlink_metadata(to).is_ok() {
        return Ok(false);
    }
    fs::copy(from, to)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_bytecode_beside_a_package_is_adopted() {
        let folder = tempfile::tempdir().unwrap();
        let (site, output) = (folder.path().join("site"), folder.path().join("output"));
        let write = |path: PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "made").unwrap();
        };
        write(site.join("pkg/a.py"));
        fs::create_dir_all(site.join("shipped/__pycache__")).unwrap();
        fs::write(site.join("shipped/__pycache__/own.pyc"), "kept").unwrap();
        write(output.join("pkg/__pycache__/a.pyc"));
        write(output.join("pkg/a.py"));
        write(output.join("pkg/evil.pth"));
        write(output.join("shipped/__pycache__/own.pyc"));
        write(output.join("absent/__pycache__/b.pyc"));
        let outside = folder.path().join("outside");
        write(outside.join("secret.pyc"));
        std::os::unix::fs::symlink(&outside, output.join("__pycache__")).unwrap();
        std::os::unix::fs::symlink(
            outside.join("secret.pyc"),
            output.join("pkg/__pycache__/s.pyc"),
        )
        .unwrap();

        assert_eq!(adopt(&output, &site).unwrap(), 1);

        assert_eq!(fs::read_to_string(site.join("pkg/__pycache__/a.pyc")).unwrap(), "made");
        assert_eq!(fs::read_to_string(site.join("shipped/__pycache__/own.pyc")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(site.join("pkg/a.py")).unwrap(), "made");
        for absent in ["pkg/evil.pth", "absent", "__pycache__", "pkg/__pycache__/s.pyc"] {
            assert!(!site.join(absent).exists(), "{absent} was adopted");
        }
        assert!(outside.join("secret.pyc").exists());
    }
}
