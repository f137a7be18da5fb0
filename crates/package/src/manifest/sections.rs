//! The sections of the manifest, each key by its own rules.

use std::collections::BTreeMap;

use domain::Text;
use domain::function::is_name;
use domain::limits::defaults;
use domain::manifest::{
    BaseImage, Io, Manifest, Metadata, PythonVersion, RetryPolicy, Runtime, TestCase,
};

use super::fields::Fields;
use super::requirements;
use crate::code;
use crate::source::{Node, Value, nearest};

/// Every section with its keys.
pub(super) const SECTIONS: [(&str, &[&str]); 9] = [
    ("", &["version", "metadata", "runtime", "dependencies", "io", "quality", "versioning"]),
    ("metadata", &["name", "description", "author", "email", "tags", "category"]),
    (
        "runtime",
        &["python_version", "base_image", "timeout", "memory_limit", "cpu_limit", "cache", "retry"],
    ),
    ("runtime.retry", &["max_attempts", "backoff", "on_user_error"]),
    ("dependencies", &["requirements", "packages"]),
    ("io", &["inputs_schema", "outputs_schema"]),
    ("quality", &["test_cases"]),
    (
        "quality.test_cases[]",
        &["inputs", "expected_outputs", "rel_tolerance", "abs_tolerance", "source"],
    ),
    ("versioning", &["version", "changelog"]),
];

/// A tolerance under its own name, and as `math.isclose` and pytest call it.
const REL_TOLERANCE: [&str; 3] = ["rel_tolerance", "rel_tol", "rel"];
const ABS_TOLERANCE: [&str; 3] = ["abs_tolerance", "abs_tol", "abs"];

fn keys(section: &str) -> &'static [&'static str] {
    SECTIONS.iter().find(|(name, _)| *name == section).map_or(&[], |(_, keys)| keys)
}

/// Reads the whole manifest; none where a mandatory part is beyond reading.
/// `versioned` asks for the key `version` of the format itself.
pub(super) fn manifest(
    fields: &mut Fields<'_>,
    root: &Node,
    files: &BTreeMap<String, Vec<u8>>,
    versioned: bool,
) -> Option<Manifest> {
    if !matches!(root.value, Value::Map(_)) {
        fields.wrong_type(
            root,
            "",
            "sections such as `metadata:` and `io:`",
            "des sections comme `metadata:` et `io:`",
        );
        return None;
    }
    fields.known_keys(root, "", keys(""));
    format_version(fields, root, versioned);
    let metadata = metadata(fields, root);
    let runtime = runtime(fields, root);
    let requirements = requirements::read(fields, root, files);
    let io = io(fields, root);
    let test_cases = test_cases(fields, root);
    let versioning = fields.section(Some(root), "versioning", keys("versioning"));
    let version = version(fields, versioning);
    let changelog = changelog(fields, versioning);
    Some(Manifest {
        metadata: metadata?,
        runtime,
        requirements,
        io: io?,
        test_cases,
        version,
        changelog,
    })
}

fn format_version(fields: &mut Fields<'_>, root: &Node, mandatory: bool) {
    match fields.get(Some(root), "version") {
        Some(entry) => {
            let text = match &entry.node.value {
                Value::Text(text) => text,
                Value::Number { raw, .. } => raw,
                _ => return fields.wrong_type(&entry.node, "version", "\"1.0\"", "\"1.0\""),
            };
            if text != "1.0" {
                fields.error(entry.node.at, "version", code::MANIFEST_VALUE, Text::new(
                    format!("expected \"1.0\", the version of this format, found \"{text}\"; the function's own version stands under `versioning.version`"),
                    format!("\"1.0\" est attendu, la version de ce format, trouvé \"{text}\" ; la version de la fonction se met sous `versioning.version`"),
                ));
            }
        }
        None if mandatory => fields.missing(root.at, "version", "version: \"1.0\""),
        None => {}
    }
}

fn metadata(fields: &mut Fields<'_>, root: &Node) -> Option<Metadata> {
    let section = fields.section(Some(root), "metadata", keys("metadata"));
    let at = fields.get(Some(root), "metadata").map_or(root.at, |entry| entry.at);
    let name = match fields.get(section, "name") {
        Some(entry) => name(fields, &entry.node),
        None => {
            fields.missing(at, "metadata.name", "name: bolt-stress");
            None
        }
    };
    let description = fields.text(section, "metadata.description", 4000);
    let author = fields.text(section, "metadata.author", 200);
    let email = email(fields, section);
    let tags = tags(fields, section);
    let category = fields.text(section, "metadata.category", 60);
    Some(Metadata { name: name?, description, author, email, tags, category })
}

fn name(fields: &mut Fields<'_>, node: &Node) -> Option<String> {
    let path = "metadata.name";
    let text = fields.text_of(node, path, 1000)?;
    if is_name(&text) {
        return Some(text);
    }
    let proposed = kebab(&text);
    let (en, fr) = if is_name(&proposed) {
        (format!("; for example \"{proposed}\""), format!(" ; par exemple \"{proposed}\""))
    } else {
        Default::default()
    };
    let shown: String = text.chars().take(80).collect();
    fields.error(
        node.at,
        path,
        code::MANIFEST_VALUE,
        Text::new(
            format!("expected 1 to 63 characters of a–z, 0–9 and `-`, found \"{shown}\"{en}"),
            format!(
                "1 à 63 caractères parmi a–z, 0–9 et `-` sont attendus, trouvé \"{shown}\"{fr}"
            ),
        ),
    );
    None
}

/// A name that would do in the place of a bad one.
fn kebab(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let plain = match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => c,
            'é' | 'è' | 'ê' | 'ë' | 'É' | 'È' | 'Ê' => 'e',
            'à' | 'â' | 'ä' | 'À' | 'Â' => 'a',
            'î' | 'ï' => 'i',
            'ô' | 'ö' => 'o',
            'ù' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            _ => '-',
        };
        if plain != '-' || !out.ends_with('-') {
            out.push(plain);
        }
    }
    out.trim_matches('-').chars().take(63).collect()
}

fn email(fields: &mut Fields<'_>, section: Option<&Node>) -> Option<String> {
    let text = fields.text(section, "metadata.email", 254)?;
    let good = text.split_once('@').is_some_and(|(local, host)| {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.contains(|c: char| {
                    c.is_whitespace() || matches!(c, '@' | '<' | '>' | ',' | ';')
                })
        };
        plain(local) && plain(host) && !host.starts_with('.') && !host.ends_with('.')
    });
    if good {
        return Some(text);
    }
    let at = fields.get(section, "email")?.node.at;
    fields.error(
        at,
        "metadata.email",
        code::MANIFEST_VALUE,
        Text::new(
            format!("expected an address such as anna.martin@example.fr, found \"{text}\""),
            format!("une adresse comme anna.martin@example.fr est attendue, trouvé \"{text}\""),
        ),
    );
    None
}

fn tags(fields: &mut Fields<'_>, section: Option<&Node>) -> Vec<String> {
    let path = "metadata.tags";
    let Some(items) = fields.list(section, path) else { return Vec::new() };
    if items.len() > 20 {
        let found = items.len();
        fields.error(
            items[20].at,
            path,
            code::MANIFEST_RANGE,
            Text::new(
                format!("expected at most 20 tags, found {found}"),
                format!("au plus 20 étiquettes sont attendues, trouvé {found}"),
            ),
        );
    }
    let items = items.iter().enumerate();
    items.filter_map(|(i, item)| fields.text_of(item, &format!("{path}[{i}]"), 60)).collect()
}

fn runtime(fields: &mut Fields<'_>, root: &Node) -> Runtime {
    let section = fields.section(Some(root), "runtime", keys("runtime"));
    let limits = fields.limits;
    let longest = limits.timeout_s.max(limits.long_timeout_s);
    let timeout = fields.integer(section, "runtime.timeout", 1..=longest, "s");
    let memory = fields.integer(section, "runtime.memory_limit", 32..=limits.memory_limit_mb, "MB");
    let cpu = fields.number(section, "runtime.cpu_limit", 0.1..=limits.cpu_limit, "cores");
    Runtime {
        python_version: python_version(fields, section),
        base_image: base_image(fields, section),
        timeout_s: timeout.unwrap_or(defaults::TIMEOUT_S.min(longest)),
        memory_limit_mb: memory.unwrap_or(defaults::MEMORY_LIMIT_MB.min(limits.memory_limit_mb)),
        cpu_limit: cpu.unwrap_or(defaults::CPU_LIMIT.min(limits.cpu_limit)),
        cache: fields.truth(section, "runtime.cache").unwrap_or(false),
        retry: retry(fields, section),
    }
}

fn retry(fields: &mut Fields<'_>, runtime: Option<&Node>) -> RetryPolicy {
    let section = fields.section(runtime, "runtime.retry", keys("runtime.retry"));
    let default = RetryPolicy::default();
    let most = RetryPolicy::MOST_ATTEMPTS;
    RetryPolicy {
        max_attempts: fields
            .integer(section, "runtime.retry.max_attempts", 1..=most, "")
            .unwrap_or(fields.limits.max_attempts),
        backoff_s: fields
            .integer(section, "runtime.retry.backoff", 0..=3600, "s")
            .unwrap_or(default.backoff_s),
        on_user_error: fields
            .truth(section, "runtime.retry.on_user_error")
            .unwrap_or(default.on_user_error),
    }
}

fn python_version(fields: &mut Fields<'_>, section: Option<&Node>) -> Option<PythonVersion> {
    let path = "runtime.python_version";
    let node = &fields.get(section, "python_version")?.node;
    // The digits as they were written, so that 3.10 does not become 3.1.
    let (text, quoted) = match &node.value {
        Value::Text(text) => (text, true),
        Value::Number { raw, .. } => (raw, false),
        _ => {
            fields.wrong_type(
                node,
                path,
                "a version such as \"3.12\"",
                "une version comme \"3.12\"",
            );
            return None;
        }
    };
    if let Ok(version) = text.parse() {
        return Some(version);
    }
    let patch =
        PythonVersion::SUPPORTED.iter().find(|known| text.starts_with(&format!("{known}.")));
    let hint = match patch {
        Some(known) => Text::new(
            format!("; leave the patch number out: \"{known}\""),
            format!(" ; sans le numéro correctif : \"{known}\""),
        ),
        None if !quoted && text == "3.1" => Text::new(
            "; for Python 3.10 write \"3.10\" in quotes, as 3.1 and 3.10 are the same number",
            " ; pour Python 3.10 écrivez \"3.10\" entre guillemets, car 3.1 et 3.10 sont le même nombre",
        ),
        None => Text::same(""),
    };
    fields.error(
        node.at,
        path,
        code::MANIFEST_VALUE,
        Text::new(
            format!(
                "expected \"3.9\", \"3.10\", \"3.11\", \"3.12\" or \"3.13\", found {text}{}",
                hint.en
            ),
            format!(
                "\"3.9\", \"3.10\", \"3.11\", \"3.12\" ou \"3.13\" est attendu, trouvé {text}{}",
                hint.fr
            ),
        ),
    );
    None
}

fn base_image(fields: &mut Fields<'_>, section: Option<&Node>) -> BaseImage {
    let path = "runtime.base_image";
    let Some(text) = fields.text(section, path, 200) else { return BaseImage::default() };
    if let Ok(image) = text.parse() {
        return image;
    }
    let hint = nearest(&text, BaseImage::ALL.map(BaseImage::name));
    let (en, fr) = hint.map_or_else(Default::default, |near| {
        (format!("; did you mean `{near}`?"), format!(" ; vouliez-vous dire `{near}` ?"))
    });
    if let Some(entry) = fields.get(section, "base_image") {
        fields.error(entry.node.at, path, code::MANIFEST_VALUE, Text::new(
            format!("expected `python-base`, `python-scientific` or `python-cfd`, found \"{text}\"{en}"),
            format!("`python-base`, `python-scientific` ou `python-cfd` est attendu, trouvé \"{text}\"{fr}"),
        ));
    }
    BaseImage::default()
}

fn io(fields: &mut Fields<'_>, root: &Node) -> Option<Io> {
    let section = fields.section(Some(root), "io", keys("io"));
    let at = fields.get(Some(root), "io").map_or(root.at, |entry| entry.at);
    let inputs = match fields.get(section, "inputs_schema") {
        Some(entry) => schema(fields, &entry.node, "io.inputs_schema"),
        None => {
            fields.missing(
                at,
                "io.inputs_schema",
                "inputs_schema: {type: object, properties: {…}}",
            );
            None
        }
    };
    let outputs = fields
        .get(section, "outputs_schema")
        .and_then(|entry| schema(fields, &entry.node, "io.outputs_schema"));
    Some(Io { inputs_schema: inputs?, outputs_schema: outputs })
}

fn schema(fields: &mut Fields<'_>, node: &Node, path: &str) -> Option<serde_json::Value> {
    if matches!(node.value, Value::Map(_)) {
        return Some(node.to_json());
    }
    fields.wrong_type(
        node,
        path,
        "a JSON Schema written here, beginning with `type: object`",
        "un JSON Schema écrit ici, commençant par `type: object`",
    );
    None
}

fn test_cases(fields: &mut Fields<'_>, root: &Node) -> Vec<TestCase> {
    let section = fields.section(Some(root), "quality", keys("quality"));
    let Some(items) = fields.list(section, "quality.test_cases") else { return Vec::new() };
    let items = items.iter().enumerate();
    items
        .filter_map(|(index, item)| {
            test_case(fields, item, &format!("quality.test_cases[{index}]"))
        })
        .collect()
}

fn test_case(fields: &mut Fields<'_>, item: &Node, path: &str) -> Option<TestCase> {
    if !matches!(item.value, Value::Map(_)) {
        fields.wrong_type(
            item,
            path,
            "a section with `inputs` and `expected_outputs`",
            "une section avec `inputs` et `expected_outputs`",
        );
        return None;
    }
    let known: Vec<&str> =
        [keys("quality.test_cases[]"), &REL_TOLERANCE[1..], &ABS_TOLERANCE[1..]].concat();
    fields.known_keys(item, path, &known);
    let mut object = |key: &str| {
        let path = format!("{path}.{key}");
        let Some(entry) = fields.get(Some(item), key) else {
            fields.missing(item.at, &path, &format!("{key}: {{force: 1000}}"));
            return None;
        };
        if matches!(entry.node.value, Value::Map(_)) {
            return Some(entry.node.to_json());
        }
        fields.wrong_type(&entry.node, &path, "keys with values", "des clés avec des valeurs");
        None
    };
    let (inputs, expected_outputs) = (object("inputs"), object("expected_outputs"));
    let mut tolerance = |names: &[&str]| {
        let key = names.iter().find(|key| item.get(key).is_some())?;
        fields.number(Some(item), &format!("{path}.{key}"), 0.0..=f64::INFINITY, "")
    };
    let (rel_tolerance, abs_tolerance) = (tolerance(&REL_TOLERANCE), tolerance(&ABS_TOLERANCE));
    let source = fields.text(Some(item), &format!("{path}.source"), 1000);
    Some(TestCase {
        inputs: inputs?,
        expected_outputs: expected_outputs?,
        rel_tolerance,
        abs_tolerance,
        source,
    })
}

fn version(fields: &mut Fields<'_>, section: Option<&Node>) -> Option<semver::Version> {
    let path = "versioning.version";
    let node = &fields.get(section, "version")?.node;
    let text = match &node.value {
        Value::Text(text) => text,
        Value::Number { raw, .. } => raw,
        _ => {
            fields.wrong_type(
                node,
                path,
                "a version such as \"1.2.0\"",
                "une version comme \"1.2.0\"",
            );
            return None;
        }
    };
    match semver::Version::parse(text) {
        Ok(version) if text.len() <= 64 => Some(version),
        _ => {
            let padded = ["", ".0", ".0.0"]
                .into_iter()
                .map(|end| format!("{}{end}", text.trim_start_matches('v')));
            let near = padded.into_iter().find(|text| semver::Version::parse(text).is_ok());
            let (en, fr) = near.map_or_else(Default::default, |near| {
                (format!("; write \"{near}\""), format!(" ; écrivez \"{near}\""))
            });
            let shown: String = text.chars().take(80).collect();
            fields.error(node.at, path, code::MANIFEST_VALUE, Text::new(
                format!("expected a semantic version of three numbers, such as \"1.2.0\", found \"{shown}\"{en}"),
                format!("une version sémantique à trois nombres est attendue, comme \"1.2.0\", trouvé \"{shown}\"{fr}"),
            ));
            None
        }
    }
}

fn changelog(fields: &mut Fields<'_>, section: Option<&Node>) -> Option<String> {
    let path = "versioning.changelog";
    let node = &fields.get(section, "changelog")?.node;
    match &node.value {
        Value::List(items) => {
            let lines = items.iter().enumerate();
            let lines =
                lines.filter_map(|(i, item)| fields.text_of(item, &format!("{path}[{i}]"), 2000));
            Some(lines.collect::<Vec<_>>().join("\n"))
        }
        _ => fields.text_of(node, path, 20_000),
    }
}
