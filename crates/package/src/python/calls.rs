//! Single expressions that the policy has an opinion on.

use std::collections::BTreeMap;

use domain::{Fault, Text};
use ruff_python_ast::{Expr, ExprCall, Operator};
use ruff_text_size::{Ranged, TextRange};

use super::policy::BLOCKED_CALLS;
use crate::code;

/// The variable that names the folder of a run's results.
const OUTPUTS: &str = "MECAPY_OUTPUTS";

/// The range of the name `os` in an admitted form: `os.path…`,
/// `os.environ["MECAPY_OUTPUTS"]`, `os.environ.get("MECAPY_OUTPUTS", …)`,
/// `os.getenv("MECAPY_OUTPUTS", …)`. Whether the name is `os` is left to the
/// caller.
pub(super) fn admitted_os(expression: &Expr) -> Option<TextRange> {
    let attribute_of_name = |expression: &Expr, wanted: &str| {
        let attribute = expression.as_attribute_expr()?;
        let name = attribute.value.as_name_expr()?;
        (attribute.attr.as_str() == wanted).then(|| name.range())
    };
    match expression {
        Expr::Attribute(_) => attribute_of_name(expression, "path"),
        Expr::Subscript(subscript) if text(&subscript.slice) == Some(OUTPUTS) => {
            attribute_of_name(&subscript.value, "environ")
        }
        Expr::Call(call) if call.arguments.args.first().and_then(text) == Some(OUTPUTS) => {
            if let Some(range) = attribute_of_name(&call.func, "getenv") {
                return Some(range);
            }
            let method = call.func.as_attribute_expr()?;
            (method.attr.as_str() == "get").then_some(())?;
            attribute_of_name(&method.value, "environ")
        }
        _ => None,
    }
}

/// The fault of opening a file for writing at a fixed path outside the run's
/// folders: `open("/data/x", "w")`, `Path("/x").write_text(…)`; a warning where
/// the path is relative.
pub(super) fn write_outside(call: &ExprCall, aliases: &BTreeMap<String, String>) -> Option<Fault> {
    let path = written_path(call, aliases)?;
    let outside = (path.starts_with('/') && !path.starts_with("/tmp/"))
        || path.starts_with('~')
        || path.starts_with("..")
        || path.starts_with('\\')
        || path.as_bytes().get(1) == Some(&b':');
    let fault = if outside {
        Fault::error(
            code::PYTHON_WRITE_OUTSIDE,
            Text::new(
                format!(
                    "\"{path}\" is outside the run's folders and can't be written; write under `mecapy_runtime.outputs()` to keep a file, under `/tmp` or by `tempfile` to forget it"
                ),
                format!(
                    "\"{path}\" est hors des dossiers du calcul et ne peut pas être écrit ; écrivez sous `mecapy_runtime.outputs()` pour garder un fichier, sous `/tmp` ou par `tempfile` pour l’oublier"
                ),
            ),
        )
    } else if path.starts_with('/') {
        return None;
    } else {
        // A test may have changed its folder before, so this only warns.
        Fault::warning(
            code::PYTHON_WRITE_OUTSIDE,
            Text::new(
                format!(
                    "\"{path}\" is beside the code, where a run can't write; write `mecapy_runtime.outputs() / \"{path}\"` to keep the file"
                ),
                format!(
                    "\"{path}\" est à côté du code, où un calcul ne peut pas écrire ; écrivez `mecapy_runtime.outputs() / \"{path}\"` pour garder le fichier"
                ),
            ),
        )
    };
    Some(fault.at_key("open"))
}

fn written_path<'a>(call: &'a ExprCall, aliases: &BTreeMap<String, String>) -> Option<&'a str> {
    let resolve = |expression: &Expr| -> Option<String> {
        match expression {
            Expr::Name(name) => {
                let id = name.id.as_str();
                Some(aliases.get(id).map_or(id, String::as_str).to_owned())
            }
            Expr::Attribute(attribute) => {
                let name = attribute.value.as_name_expr()?.id.as_str();
                let target = aliases.get(name).map_or(name, String::as_str);
                Some(format!("{target}.{}", attribute.attr.as_str()))
            }
            _ => None,
        }
    };
    let argument = |index: usize, keyword: &str| {
        call.arguments.args.get(index).or_else(|| {
            let named = call.arguments.keywords.iter();
            named
                .clone()
                .find(|k| k.arg.as_ref().is_some_and(|a| a.as_str() == keyword))
                .map(|k| &k.value)
        })
    };
    let writes = |mode: Option<&Expr>| {
        mode.and_then(text).is_some_and(|mode| mode.contains(['w', 'a', 'x', '+']))
    };
    if matches!(resolve(&call.func).as_deref(), Some("open" | "io.open" | "builtins.open")) {
        return writes(argument(1, "mode")).then(|| argument(0, "file")).flatten().and_then(text);
    }
    let method = call.func.as_attribute_expr()?;
    let path = match &*method.value {
        Expr::Call(path) => path,
        // `Path("/data") / "x"`: the left end decides.
        Expr::BinOp(join) if join.op == Operator::Div => join.left.as_call_expr()?,
        _ => return None,
    };
    let class = resolve(&path.func)?;
    if !matches!(class.as_str(), "pathlib.Path" | "pathlib.PosixPath") {
        return None;
    }
    let changes = match method.attr.as_str() {
        "write_text" | "write_bytes" | "mkdir" | "touch" | "unlink" | "rmdir" | "rename"
        | "replace" | "chmod" | "symlink_to" | "hardlink_to" => true,
        "open" => writes(argument(0, "mode")),
        _ => false,
    };
    changes.then(|| path.arguments.args.first().and_then(text)).flatten()
}

/// A blocked name that is fetched by its text: `getattr(x, "eval")`,
/// `globals().get("exec")`.
pub(super) fn hidden_name(call: &ExprCall) -> Option<String> {
    let is_blocked = |name: &&str| {
        matches!(*name, "eval" | "exec" | "compile" | "__import__" | "system" | "popen")
            || (name.starts_with("__") && BLOCKED_CALLS.iter().any(|(known, ..)| known == name))
    };
    let argument = |index: usize| call.arguments.args.get(index).and_then(text).filter(is_blocked);
    match &*call.func {
        Expr::Name(name) if name.id.as_str() == "getattr" => argument(1),
        Expr::Attribute(method) if matches!(method.attr.as_str(), "get" | "__getitem__") => {
            argument(0)
        }
        _ => None,
    }
    .map(str::to_owned)
}

/// The text of a plain string literal.
fn text(expression: &Expr) -> Option<&str> {
    Some(expression.as_string_literal_expr()?.value.to_str())
}
