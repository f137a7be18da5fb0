//! What the Python of an archive says before anything of it runs.

mod calls;
mod check;
mod handler;
mod imports;
mod packages;
mod policy;
mod syntax;

pub(crate) use packages::{Foreign, has_none};
pub use policy::{Policy, UnknownPolicy};

use std::collections::{BTreeMap, BTreeSet};

use domain::{Fault, Text};
use ruff_python_ast::ModModule;
use ruff_python_parser::{Parsed, parse_unchecked_source};
use ruff_source_file::LineIndex;
use ruff_text_size::TextSize;

use crate::code;

/// The module that every archive has.
pub(crate) const HANDLER: &str = "handler.py";
/// Largest Python file, in bytes.
const LARGEST: usize = 1 << 20;
/// The syntax tree of a hostile file can be as deep as the file is long;
/// freeing it then takes this much stack, of which only what is used counts.
const STACK: usize = 512 << 20;

/// What reading the modules gave.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    pub(crate) faults: Vec<Fault>,
    /// Top-level modules that are imported and not in the archive, sorted;
    /// those that only tests import are left out.
    pub(crate) imports: Vec<String>,
    /// Imports of what only a package can bring.
    pub(crate) foreign: Vec<Foreign>,
}

/// Reads every Python file of an archive: syntax, `calculate`, policy.
pub(crate) fn examine(files: &BTreeMap<String, Vec<u8>>, policy: Policy) -> Examined {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("static-check".into()).stack_size(STACK);
        let running = thread.spawn_scoped(scope, || examine_here(files, policy));
        let ended = running.ok().and_then(|handle| handle.join().ok());
        ended.unwrap_or_else(|| Examined {
            faults: vec![too_complex(HANDLER)],
            ..Examined::default()
        })
    })
}

fn examine_here(files: &BTreeMap<String, Vec<u8>>, policy: Policy) -> Examined {
    let mut examined = Examined::default();
    let own = imports::own_modules(files.keys());
    let mut imported = BTreeSet::new();
    for (path, content) in files {
        if is_native(path) {
            examined.faults.push(native(path));
        }
        if !path.ends_with(".py") {
            continue;
        }
        let module = match Module::read(path, content) {
            Ok(module) => module,
            Err(fault) => {
                examined.faults.push(*fault);
                continue;
            }
        };
        let syntax = module.syntax_faults();
        if syntax.is_empty() {
            if path == HANDLER {
                examined.faults.extend(handler::check(&module));
            }
            let found = check::check(&module, policy, &own);
            examined.faults.extend(found.faults);
            examined.foreign.extend(packages::foreign(&module, policy, &own));
            if !is_test(path) {
                imported.extend(found.imports);
            }
        }
        examined.faults.extend(syntax);
    }
    if !files.contains_key(HANDLER) {
        examined.faults.push(handler::missing(files.keys()));
    }
    examined.imports = imported.into_iter().filter(|name| !own.contains(name)).collect();
    examined
}

/// Whether a file belongs to the tests, which are not imported by a run.
fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    path.starts_with("tests/")
        || path.starts_with("test/")
        || name.starts_with("test_")
        || name == "conftest.py"
}

/// One parsed file and what its places mean.
struct Module<'a> {
    path: &'a str,
    source: &'a str,
    parsed: Parsed<ModModule>,
    lines: LineIndex,
}

impl<'a> Module<'a> {
    fn read(path: &'a str, content: &'a [u8]) -> Result<Self, Box<Fault>> {
        if content.len() > LARGEST {
            return Err(Box::new(too_complex(path)));
        }
        let source = std::str::from_utf8(content).map_err(|_| {
            Box::new(
                Fault::error(code::PYTHON_ENCODING, Text::new(
                    "expected UTF-8 text, found other bytes. Save the file as UTF-8",
                    "du texte UTF-8 est attendu, trouvé d’autres octets. Enregistrez le fichier en UTF-8",
                ))
                .in_file(path),
            )
        })?;
        let parsed = parse_unchecked_source(source, ruff_python_ast::PySourceType::Python);
        Ok(Self { path, source, parsed, lines: LineIndex::from_source_text(source) })
    }

    /// A fault at a place of this file.
    fn place(&self, fault: Fault, offset: TextSize) -> Fault {
        let place = self.lines.line_column(offset, self.source);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        fault.in_file(self.path).at(number(place.line.get()), number(place.column.get()))
    }

    fn syntax_faults(&self) -> Vec<Fault> {
        let errors = self.parsed.errors().iter().take(20);
        errors
            .map(|error| {
                let what = error.error.to_string();
                let fault = Fault::error(
                    code::PYTHON_SYNTAX,
                    Text::new(
                        format!("not valid Python: {what}"),
                        format!("Python non valable : {}", syntax::in_french(&what)),
                    ),
                );
                self.place(fault, error.location.start())
            })
            .collect()
    }
}

fn is_native(path: &str) -> bool {
    [".so", ".pyd", ".dll", ".dylib"].iter().any(|end| path.ends_with(end)) || path.contains(".so.")
}

fn native(path: &str) -> Fault {
    Fault::warning(code::PYTHON_SUSPICIOUS, Text::new(
        "a compiled module can't be checked before it runs; prefer a package with wheels",
        "un module compilé ne peut pas être vérifié avant de s’exécuter ; préférez un paquet avec des wheels",
    ))
    .in_file(path)
}

fn too_complex(path: &str) -> Fault {
    Fault::error(code::PYTHON_TOO_COMPLEX, Text::new(
        format!("this file is too large (limit {LARGEST} bytes) or nested too deeply to be checked. Move tables to `data/` and cut long expressions"),
        format!("ce fichier est trop grand (limite {LARGEST} octets) ou trop imbriqué pour être vérifié. Placez les tableaux dans `data/` et coupez les longues expressions"),
    ))
    .in_file(path)
}
