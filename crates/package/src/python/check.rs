//! The operator's policy against one module: imports, names, calls.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::{Fault, Text};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_parameter, walk_stmt};
use ruff_python_ast::{Alias, Expr, ExprContext, ExprName, Parameter, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::policy::{ALLOWED, BLOCKED, BLOCKED_CALLS, BLOCKED_PARTS, RUNTIME};
use super::{Module, Policy, calls};
use crate::code;

/// Deepest nesting of one expression.
pub(super) const DEEPEST: u32 = 2000;
/// Attributes and names that lead around the policy.
const SUSPICIOUS: [&str; 10] = [
    "__subclasses__",
    "__globals__",
    "__builtins__",
    "__code__",
    "__closure__",
    "__mro__",
    "__bases__",
    "__loader__",
    "__spec__",
    "__getattribute__",
];
/// Packages whose parts are only loaded when they are imported themselves.
const LAZY: [&str; 3] = ["scipy", "matplotlib", "sklearn"];

/// What the check of one module gave.
#[derive(Default)]
pub(super) struct Found {
    pub(super) faults: Vec<Fault>,
    /// Modules to load ahead of a run; some may not exist.
    pub(super) imports: BTreeSet<String>,
}

/// Checks one module; `own` are the modules of its archive.
pub(super) fn check(module: &Module<'_>, policy: Policy, own: &BTreeSet<String>) -> Found {
    let mut names = Names::default();
    names.visit_body(module.parsed.suite());
    let mut checker = Checker {
        module,
        policy,
        own,
        bound: names.bound,
        aliases: BTreeMap::new(),
        os: BTreeMap::new(),
        admitted: HashSet::new(),
        os_uses: Vec::new(),
        depth: 0,
        too_deep: names.too_deep,
        found: Found::default(),
    };
    checker.visit_body(module.parsed.suite());
    checker.finish()
}

struct Checker<'a> {
    module: &'a Module<'a>,
    policy: Policy,
    own: &'a BTreeSet<String>,
    /// Names that the module binds itself by `def`, `class` or a parameter.
    bound: HashSet<String>,
    /// What a local name stands for: `np` for `numpy`, `e` for `builtins.eval`.
    aliases: BTreeMap<String, String>,
    /// Places where `os` itself is imported, by its local name.
    os: BTreeMap<String, TextRange>,
    /// Uses of `os` in one of the admitted forms.
    admitted: HashSet<TextRange>,
    os_uses: Vec<(String, TextRange, String)>,
    depth: u32,
    too_deep: bool,
    found: Found,
}

impl Checker<'_> {
    fn finish(mut self) -> Found {
        if self.policy != Policy::Off {
            self.check_os();
        }
        if self.too_deep {
            self.found.faults.push(super::too_complex(self.module.path));
        }
        self.found
    }

    /// `import os` passes where all it is used for is the path of the outputs
    /// folder and `os.path`: the common way to write a file, and harmless.
    fn check_os(&mut self) {
        for (name, place) in std::mem::take(&mut self.os) {
            let uses = self.os_uses.iter().filter(|(used, ..)| *used == name);
            let bad: Vec<_> =
                uses.clone().filter(|(_, range, _)| !self.admitted.contains(range)).collect();
            if bad.is_empty() && uses.count() > 0 {
                continue;
            }
            let first = bad.first().map(|(_, range, shown)| {
                let line = self.module.lines.line_index(range.start()).get();
                Text::new(
                    format!("; `{shown}` stands on line {line}"),
                    format!(" ; `{shown}` est à la ligne {line}"),
                )
            });
            let (en, fr) = first.map_or_else(Default::default, |text| (text.en, text.fr));
            let reason = reason("os");
            self.blocked_import(
                "os",
                place.start(),
                reason.map_or(("", ""), |b| (b.en, b.fr)),
                &en,
                &fr,
            );
        }
    }

    fn import(&mut self, dotted: &str, at: TextSize) {
        let top = dotted.split('.').next().unwrap_or(dotted);
        if top == RUNTIME || self.own.contains(top) {
            return;
        }
        self.found.imports.insert(dotted.to_owned());
        if self.policy == Policy::Off {
            return;
        }
        if matches!(dotted, "os.path" | "posixpath" | "ntpath") {
            return;
        }
        if let Some(blocked) = reason(top) {
            self.blocked_import(dotted, at, (blocked.en, blocked.fr), "", "");
            return;
        }
        let within = |part: &str| dotted == part || dotted.starts_with(&format!("{part}."));
        if let Some((_, en, fr)) = BLOCKED_PARTS.iter().find(|(part, ..)| within(part)) {
            self.blocked_import(dotted, at, (en, fr), "", "");
            return;
        }
        if self.policy == Policy::AllowList && !ALLOWED.contains(&top) {
            self.blocked_import(
                dotted,
                at,
                (
                    "the operator admits listed packages only (MECAPY_STATIC_CHECK=allow-list); ask for it to be added",
                    "l’opérateur n’admet que les paquets d’une liste (MECAPY_STATIC_CHECK=allow-list) ; demandez son ajout",
                ),
                "",
                "",
            );
        }
    }

    fn blocked_import(&mut self, name: &str, at: TextSize, why: (&str, &str), en: &str, fr: &str) {
        let fault = Fault::error(
            code::PYTHON_BLOCKED_IMPORT,
            Text::new(
                format!("the import of `{name}` is blocked: {}{en}", why.0),
                format!("l’import de `{name}` est bloqué : {}{fr}", why.1),
            ),
        )
        .at_key(name);
        self.found.faults.push(self.module.place(fault, at));
    }

    fn plain_import(&mut self, alias: &Alias) {
        let dotted = alias.name.as_str();
        let top = dotted.split('.').next().unwrap_or(dotted);
        let local = alias.asname.as_ref().map_or(top, |name| name.as_str());
        let target = if alias.asname.is_some() { dotted } else { top };
        self.aliases.insert(local.to_owned(), target.to_owned());
        if dotted == "os" && self.policy != Policy::Off && !self.own.contains("os") {
            self.found.imports.insert("os".to_owned());
            self.os.entry(local.to_owned()).or_insert_with(|| alias.range());
            return;
        }
        self.import(dotted, alias.range().start());
    }

    fn import_from(&mut self, dotted: &str, alias: &Alias) {
        let name = alias.name.as_str();
        let full = format!("{dotted}.{name}");
        let local = alias.asname.as_ref().map_or(name, |name| name.as_str());
        self.aliases.insert(local.to_owned(), full.clone());
        let parts = BLOCKED_PARTS.iter().any(|(part, ..)| *part == full);
        if full == "os.path" || parts {
            self.import(&full, alias.range().start());
        } else {
            self.import(dotted, alias.range().start());
            if LAZY.contains(&dotted) && !self.own.contains(dotted) {
                self.found.imports.insert(full);
            }
        }
    }

    fn name(&mut self, name: &ExprName) {
        let id = name.id.as_str();
        let range = name.range();
        if self.os.contains_key(id) {
            let shown = self.module.source.get(range.start().to_usize()..).unwrap_or_default();
            let end = shown.find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_');
            let shown = shown[..end.unwrap_or(shown.len())].to_owned();
            self.os_uses.push((id.to_owned(), range, shown));
        }
        if self.policy == Policy::Off || !matches!(name.ctx, ExprContext::Load) {
            return;
        }
        if SUSPICIOUS.contains(&id) {
            self.suspicious(id, range);
        }
        let target = self.aliases.get(id).map_or(id, String::as_str);
        let builtin = target.strip_prefix("builtins.").unwrap_or(target);
        let is_own = target == id && self.bound.contains(id);
        if let Some((what, en, fr)) = BLOCKED_CALLS.iter().find(|(known, ..)| *known == builtin)
            && !is_own
        {
            let fault = Fault::error(
                code::PYTHON_BLOCKED_CALL,
                Text::new(
                    format!("`{what}` is blocked: {en}"),
                    format!("`{what}` est bloqué : {fr}"),
                ),
            )
            .at_key(*what);
            self.found.faults.push(self.module.place(fault, range.start()));
        }
    }

    fn suspicious(&mut self, what: &str, range: TextRange) {
        let fault = Fault::warning(
            code::PYTHON_SUSPICIOUS,
            Text::new(
                format!(
                    "`{what}` is a way around what is written; a calculation has no use for it"
                ),
                format!("`{what}` contourne ce qui est écrit ; un calcul n’en a pas l’usage"),
            ),
        )
        .at_key(what);
        self.found.faults.push(self.module.place(fault, range.start()));
    }
}

impl<'a> Visitor<'a> for Checker<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.plain_import(alias)),
            Stmt::ImportFrom(import) if import.level == 0 => {
                if let Some(dotted) = import.module.as_ref() {
                    for alias in &import.names {
                        self.import_from(dotted.as_str(), alias);
                    }
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if self.depth > DEEPEST {
            self.too_deep = true;
            return;
        }
        match expression {
            Expr::Name(name) => self.name(name),
            Expr::Attribute(attribute)
                if self.policy != Policy::Off && SUSPICIOUS.contains(&attribute.attr.as_str()) =>
            {
                self.suspicious(attribute.attr.as_str(), attribute.attr.range());
            }
            Expr::Call(call) if self.policy != Policy::Off => {
                if let Some(fault) = calls::write_outside(call, &self.aliases) {
                    self.found.faults.push(self.module.place(fault, call.range().start()));
                }
                if let Some(name) = calls::hidden_name(call) {
                    self.suspicious(&name, call.range());
                }
            }
            _ => {}
        }
        if let Some(name) = calls::admitted_os(expression) {
            self.admitted.insert(name);
        }
        self.depth += 1;
        walk_expr(self, expression);
        self.depth -= 1;
    }
}

/// The table entry that blocks a top-level module.
fn reason(top: &str) -> Option<&'static super::policy::Blocked> {
    BLOCKED.iter().find(|blocked| blocked.modules.contains(&top))
}

/// Collects the names that a module defines itself, so that a function of its
/// own called `compile` is not taken for the builtin.
#[derive(Default)]
struct Names {
    bound: HashSet<String>,
    depth: u32,
    too_deep: bool,
}

impl<'a> Visitor<'a> for Names {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                self.bound.insert(function.name.to_string());
            }
            Stmt::ClassDef(class) => {
                self.bound.insert(class.name.to_string());
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_parameter(&mut self, parameter: &'a Parameter) {
        self.bound.insert(parameter.name.to_string());
        walk_parameter(self, parameter);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if self.depth > DEEPEST {
            self.too_deep = true;
            return;
        }
        // `input = inputs["x"]` is a variable; `eval = eval` is a disguise.
        if let Expr::Name(name) = expression
            && matches!(name.ctx, ExprContext::Store)
            && !matches!(name.id.as_str(), "eval" | "exec" | "__import__")
        {
            self.bound.insert(name.id.to_string());
        }
        self.depth += 1;
        walk_expr(self, expression);
        self.depth -= 1;
    }
}
