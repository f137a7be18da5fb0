//! Function archives, made in a line of a test.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;

/// An archive to be made: a valid manifest, a handler, and whatever a test
/// needs beyond them.
#[derive(Clone, Debug)]
pub struct Archive {
    manifest: Value,
    files: Vec<(String, Vec<u8>)>,
}

impl Archive {
    /// An archive that takes any object, on `python-base`, with a timeout of
    /// 30 s and 256 MB.
    #[must_use]
    pub fn new(name: &str, handler: &str) -> Self {
        let manifest = json!({
            "version": "1.0",
            "metadata": { "name": name, "description": "Made by a test." },
            "runtime": { "timeout": 30, "memory_limit": 256, "cpu_limit": 1 },
            "io": { "inputs_schema": { "type": "object" } },
        });
        Self { manifest, files: vec![] }.file("handler.py", handler)
    }

    /// Sets a key of the manifest by its path, such as `runtime.timeout`.
    ///
    /// # Panics
    /// Where a key on the way holds something else than keys.
    #[must_use]
    pub fn set(mut self, path: &str, value: Value) -> Self {
        let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
        let section = above.split('.').filter(|key| !key.is_empty()).fold(
            keys(&mut self.manifest, "the manifest"),
            |section, key| {
                keys(section.entry(key).or_insert_with(|| Value::Object(Map::new())), key)
            },
        );
        section.insert(last.to_owned(), value);
        self
    }

    /// Sets the version number.
    #[must_use]
    pub fn version(self, number: &str) -> Self {
        self.set("versioning.version", json!(number))
    }

    /// Sets the shape of the inputs.
    #[must_use]
    pub fn inputs_schema(self, schema: Value) -> Self {
        self.set("io.inputs_schema", schema)
    }

    /// Sets the packages it needs.
    #[must_use]
    pub fn requires(self, packages: &[&str]) -> Self {
        self.set("dependencies.packages", json!(packages))
    }

    /// Adds a file, or replaces it.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.retain(|(other, _)| other != path);
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// The manifest's text: JSON, which is YAML too.
    #[must_use]
    pub fn manifest(&self) -> String {
        format!("{:#}\n", self.manifest)
    }

    /// The archive as a ZIP.
    ///
    /// # Panics
    /// Where a path can't stand in a ZIP.
    #[must_use]
    pub fn zip(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let manifest = ("mecapy.yaml".to_owned(), self.manifest().into_bytes());
        for (path, content) in std::iter::once(&manifest).chain(&self.files) {
            zip.start_file(path, SimpleFileOptions::default()).expect("the path fits a ZIP");
            zip.write_all(content).expect("memory takes it");
        }
        zip.finish().expect("memory takes it").into_inner()
    }

    /// The archive as a folder, as authors keep it.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        for (path, content) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, content)?;
        }
        std::fs::write(folder.join("mecapy.yaml"), self.manifest())
    }
}

fn keys<'a>(value: &'a mut Value, name: &str) -> &'a mut Map<String, Value> {
    value.as_object_mut().unwrap_or_else(|| panic!("{name} holds no keys"))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_was_set_stands_in_the_zip() {
        let archive = Archive::new("bolt", "def calculate(inputs): return inputs\n")
            .version("1.2.3")
            .set("runtime.timeout", json!(5))
            .file("data/table.csv", "a,b\n")
            .file("handler.py", "def calculate(inputs): return {}\n");
        let mut zip = zip::ZipArchive::new(io::Cursor::new(archive.zip())).unwrap();
        let mut read = |name| {
            let mut text = String::new();
            zip.by_name(name).unwrap().read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(read("handler.py"), "def calculate(inputs): return {}\n");
        assert_eq!(read("data/table.csv"), "a,b\n");
        let manifest: Value = serde_json::from_str(&read("mecapy.yaml")).unwrap();
        assert_eq!(
            manifest["runtime"],
            json!({ "timeout": 5, "memory_limit": 256, "cpu_limit": 1 })
        );
        assert_eq!(manifest["versioning"]["version"], "1.2.3");
    }
}
