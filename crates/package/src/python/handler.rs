//! `handler.py` must define `calculate(inputs)` at module level.

use domain::{Fault, Text};
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, Parameters, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::{HANDLER, Module};
use crate::code;
use crate::source::nearest;

const NAME: &str = "calculate";

/// The faults of the definition of `calculate`.
pub(super) fn check(module: &Module<'_>) -> Option<Fault> {
    let found = last_binding(module.parsed.suite());
    let fault = |text: Text, node: &dyn RangedDyn| {
        Some(
            module.place(Fault::error(code::HANDLER_CALCULATE, text), node.start_of()).at_key(NAME),
        )
    };
    match found {
        Some(Binding::Function(function)) => {
            let (en, fr) = refused(function)?;
            fault(
                Text::new(
                    format!("expected `def calculate(inputs):`, found {en}"),
                    format!("`def calculate(inputs):` est attendu, trouvé {fr}"),
                ),
                &function.name,
            )
        }
        Some(Binding::Class(statement)) => fault(
            Text::new(
                "expected `def calculate(inputs):`, found a class of that name; make it a function",
                "`def calculate(inputs):` est attendu, trouvé une classe de ce nom ; faites-en une fonction",
            ),
            statement,
        ),
        // An imported or assigned function is a legitimate way to define it.
        Some(Binding::Other) => None,
        None => {
            let names: Vec<&str> = module
                .parsed
                .suite()
                .iter()
                .filter_map(|statement| statement.as_function_def_stmt())
                .map(|function| function.name.as_str())
                .collect();
            let only = if let [only] = names.as_slice() { Some(*only) } else { None };
            let hint = match nearest(NAME, names.iter().copied()).or(only) {
                Some(near) => Text::new(
                    format!("; rename `{near}` to `calculate`"),
                    format!(" ; renommez `{near}` en `calculate`"),
                ),
                None => Text::same(""),
            };
            Some(
                Fault::error(code::HANDLER_CALCULATE, Text::new(
                    format!("expected `def calculate(inputs):` at module level, found none{}", hint.en),
                    format!("`def calculate(inputs):` est attendu au niveau du module, trouvé aucun{}", hint.fr),
                ))
                .in_file(HANDLER)
                .at_key(NAME),
            )
        }
    }
}

/// The fault of an archive without a handler.
pub(super) fn missing<'a>(paths: impl Iterator<Item = &'a String>) -> Fault {
    let elsewhere = paths.into_iter().find(|path| path.ends_with("/handler.py"));
    let hint = elsewhere.map_or_else(
        || Text::new("`mecapy init` writes one", "`mecapy init` en écrit un"),
        |path| {
            Text::new(
                format!("found `{path}`; move it to the top level"),
                format!("trouvé `{path}` ; déplacez-le à la racine"),
            )
        },
    );
    Fault::error(
        code::HANDLER_MISSING,
        Text::new(
            format!(
                "expected `handler.py` with `def calculate(inputs):` in the archive. {}",
                hint.en
            ),
            format!(
                "`handler.py` avec `def calculate(inputs):` est attendu dans l’archive. {}",
                hint.fr
            ),
        ),
    )
    .in_file(HANDLER)
}

/// The start of a node, whatever its type.
trait RangedDyn {
    fn start_of(&self) -> ruff_text_size::TextSize;
}

impl<T: Ranged> RangedDyn for T {
    fn start_of(&self) -> ruff_text_size::TextSize {
        self.range().start()
    }
}

enum Binding<'a> {
    Function(&'a StmtFunctionDef),
    Class(&'a ruff_python_ast::StmtClassDef),
    Other,
}

/// What the name `calculate` is bound to when the module has run, as far as
/// that shows: the last definition wins, branches count like plain code.
fn last_binding(body: &[Stmt]) -> Option<Binding<'_>> {
    let mut found = None;
    for statement in body {
        let here = match statement {
            Stmt::FunctionDef(function) if function.name.as_str() == NAME => {
                Some(Binding::Function(function))
            }
            Stmt::ClassDef(class) if class.name.as_str() == NAME => Some(Binding::Class(class)),
            Stmt::ImportFrom(import) => import
                .names
                .iter()
                .any(|alias| alias.asname.as_ref().unwrap_or(&alias.name).as_str() == NAME)
                .then_some(Binding::Other),
            Stmt::Assign(assign) => assign.targets.iter().any(is_name).then_some(Binding::Other),
            Stmt::AnnAssign(assign) => {
                (assign.value.is_some() && is_name(&assign.target)).then_some(Binding::Other)
            }
            Stmt::If(branch) => last_binding(&branch.body).or_else(|| {
                branch.elif_else_clauses.iter().find_map(|clause| last_binding(&clause.body))
            }),
            Stmt::Try(attempt) => last_binding(&attempt.body),
            Stmt::With(block) => last_binding(&block.body),
            _ => None,
        };
        found = here.or(found);
    }
    found
}

fn is_name(target: &Expr) -> bool {
    target.as_name_expr().is_some_and(|name| name.id.as_str() == NAME)
}

fn refused(function: &StmtFunctionDef) -> Option<(String, String)> {
    if function.is_async {
        return Some((
            "an `async def`; take off `async`".into(),
            "un `async def` ; retirez `async`".into(),
        ));
    }
    if yields(&function.body) {
        return Some((
            "a generator (it holds `yield`); build the result and `return` it".into(),
            "un générateur (il contient `yield`) ; construisez le résultat et renvoyez-le par `return`".into(),
        ));
    }
    let Parameters { posonlyargs, args, vararg, kwonlyargs, .. } = &*function.parameters;
    let positional = posonlyargs.len() + args.len();
    let required = posonlyargs.iter().chain(args.iter()).filter(|p| p.default.is_none()).count();
    if positional == 0 && vararg.is_none() {
        return Some(("one without arguments".into(), "une fonction sans argument".into()));
    }
    if required > 1 {
        return Some((
            format!(
                "one with {required} mandatory arguments; the values are the keys of the one dict `inputs`"
            ),
            format!(
                "une fonction à {required} arguments obligatoires ; les valeurs sont les clés de l’unique dict `inputs`"
            ),
        ));
    }
    let named = kwonlyargs.iter().find(|parameter| parameter.default.is_none());
    named.map(|parameter| {
        let name = parameter.parameter.name.as_str();
        (
            format!(
                "a keyword-only argument `{name}` without default; take its value from `inputs`"
            ),
            format!(
                "un argument nommé `{name}` sans valeur par défaut ; prenez sa valeur dans `inputs`"
            ),
        )
    })
}

/// Whether a body yields itself, not in a function that it defines.
fn yields(body: &[Stmt]) -> bool {
    struct Finder(bool, u32);
    impl Visitor<'_> for Finder {
        fn visit_stmt(&mut self, statement: &Stmt) {
            if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                ruff_python_ast::visitor::walk_stmt(self, statement);
            }
        }
        fn visit_expr(&mut self, expression: &Expr) {
            match expression {
                Expr::Yield(_) | Expr::YieldFrom(_) => self.0 = true,
                Expr::Lambda(_) => {}
                // Deeper expressions are refused by the check of the module.
                _ if self.1 > super::check::DEEPEST => {}
                _ => {
                    self.1 += 1;
                    walk_expr(self, expression);
                    self.1 -= 1;
                }
            }
        }
    }
    let mut finder = Finder(false, 0);
    for statement in body {
        finder.visit_stmt(statement);
    }
    finder.0
}
