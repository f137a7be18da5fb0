//! `calculate` and the operator's policy.

use domain::limits::Limits;
use domain::{Fault, Severity};
use package::{Policy, read_dir};

use crate::support::{HANDLER, MANIFEST, codes, faults, folder, lignes, lines, read_files};

fn handler_fault(code: &str) -> String {
    let found = faults(&[("handler.py", code)]);
    assert_eq!(codes(&found), ["handler_calculate"], "{code}");
    lines(&found)[0].clone()
}

#[test]
fn calculate_may_be_written_in_any_usual_form() {
    for code in [
        "def calculate(inputs: dict) -> dict:\n    return {}\n",
        "def calculate(x, verbose=False, *, debug=False):\n    return x\n",
        "def calculate(*args):\n    return {}\n",
        "from core import calculate\n",
        "import math\nif math.pi > 3:\n    def calculate(i): return i\n",
        "def run(i): return i\ncalculate = run\n",
        "def calculate(i):\n    def points():\n        yield 1\n    return {'p': list(points())}\n",
        "async def calculate(i): pass\ndef calculate(i): return i\n",
    ] {
        assert!(read_files(&[("handler.py", code), ("core.py", "")]).is_ok(), "{code}");
    }
}

#[test]
fn what_is_no_calculate_says_why() {
    assert_eq!(
        handler_fault("class calculate:\n    pass\n"),
        "handler.py:1:1 calculate: expected `def calculate(inputs):`, found a class of that name; make it a function"
    );
    assert_eq!(
        handler_fault("async def calculate(inputs):\n    return {}\n"),
        "handler.py:1:11 calculate: expected `def calculate(inputs):`, found an `async def`; take off `async`"
    );
    assert!(
        handler_fault("def calculate(i):\n    yield 1\n")
            .ends_with("found a generator (it holds `yield`); build the result and `return` it")
    );
    assert!(
        handler_fault("def calculate():\n    return {}\n").ends_with("found one without arguments")
    );
    assert!(
        handler_fault("def calculate(force, area):\n    return {}\n")
            .contains("found one with 2 mandatory arguments")
    );
    assert!(
        handler_fault("def calculate(i, *, unit):\n    return {}\n")
            .contains("keyword-only argument `unit`")
    );
    assert!(handler_fault("x = 1\n").ends_with("at module level, found none"));
    assert!(handler_fault("def f():\n    def calculate(i): return i\n").contains("found none"));
}

#[test]
fn syntax_errors_of_every_file_are_reported_with_their_place() {
    let found = faults(&[
        ("handler.py", "def calculate(inputs)\n    return {}\n"),
        ("ec3/bolts.py", "x = (1,\n"),
    ]);
    assert_eq!(codes(&found), ["python_syntax", "python_syntax"]);
    assert_eq!((found[0].file.as_deref(), found[0].line), (Some("ec3/bolts.py"), Some(2)));
    assert_eq!((found[1].file.as_deref(), found[1].line), (Some("handler.py"), Some(1)));
    assert!(lines(&found)[1].starts_with("handler.py:1:22: not valid Python: Expected"));
    assert_eq!(
        lignes(&found),
        [
            "ec3/bolts.py:2:1: Python non valable : le fichier se termine trop tôt",
            "handler.py:1:22: Python non valable : attendu : `:` ; trouvé : une fin de ligne",
        ]
    );
}

fn blocked(code: &str) -> Vec<String> {
    let handler = format!("{code}\n{HANDLER}");
    let files = folder(&[("handler.py", &handler), ("mecapy.yaml", &scientific())]);
    match read_dir(files, &Limits::default(), Policy::DenyList) {
        Ok(package) => package.warnings.into_iter().map(|fault| fault.code).collect(),
        Err(refused) => refused.faults.into_iter().map(|fault| fault.code).collect(),
    }
}

#[test]
fn imports_that_calculations_have_no_use_for_are_blocked() {
    for module in [
        "os",
        "subprocess",
        "sys",
        "socket",
        "ctypes",
        "multiprocessing",
        "importlib",
        "importlib.util",
        "requests",
        "urllib.request",
        "pickle",
        "builtins",
    ] {
        assert_eq!(blocked(&format!("import {module}")), ["python_blocked_import"], "{module}");
        assert_eq!(
            blocked(&format!("import {module} as m")),
            ["python_blocked_import"],
            "{module}"
        );
        assert_eq!(
            blocked(&format!("def f():\n    from {module} import x")),
            ["python_blocked_import"],
            "{module}"
        );
    }
    assert_eq!(blocked("from urllib import request"), ["python_blocked_import"]);
    assert_eq!(blocked("from os import environ"), ["python_blocked_import"]);
}

#[test]
fn imports_of_calculations_pass() {
    for module in [
        "math",
        "json",
        "pathlib",
        "tempfile",
        "csv",
        "re",
        "io",
        "logging",
        "time",
        "threading",
        "numpy as np",
        "scipy.signal",
        "urllib.parse",
        "os.path",
        "mecapy_runtime",
        "fractions",
        "concurrent.futures",
        "matplotlib.pyplot as plt",
    ] {
        assert_eq!(blocked(&format!("import {module}")), [""; 0], "{module}");
    }
    assert_eq!(blocked("from os import path"), [""; 0]);
    assert_eq!(blocked("from mecapy_runtime import outputs, progress"), [""; 0]);
}

#[test]
fn os_passes_where_it_only_finds_the_outputs_folder() {
    for code in [
        "import os\nFOLDER = os.environ[\"MECAPY_OUTPUTS\"]",
        "import os\nFOLDER = os.environ.get(\"MECAPY_OUTPUTS\", \".\")",
        "import os as o\np = o.path.join(o.getenv('MECAPY_OUTPUTS'), 'a.csv')",
    ] {
        assert_eq!(blocked(code), [""; 0], "{code}");
    }
    for code in [
        "import os",
        "import os\nos.system('ls')",
        "import os\nx = os.environ['HOME']",
        "import os\nx = os.environ",
        "import os\nf = os\nx = os.path.join('a')",
        "import os\nx = os.environ.get(KEY)",
        "import os\ndel os.path",
    ] {
        let found = blocked(code);
        assert!(found == ["python_blocked_import"] || code.contains("del"), "{code}: {found:?}");
    }
    let found =
        faults(&[("handler.py", "import os\n\ndef calculate(i):\n    return os.listdir('/')\n")]);
    assert_eq!(
        lignes(&found),
        [
            "handler.py:1:8 os: l’import de `os` est bloqué : employez `pathlib` pour les chemins et `mecapy_runtime.outputs()` pour le dossier des résultats ; de `os`, seuls `os.path` et `os.environ[\"MECAPY_OUTPUTS\"]` sont admis ; `os.listdir` est à la ligne 4"
        ]
    );
}

#[test]
fn calls_that_make_code_are_blocked_by_any_name() {
    for code in [
        "eval('1')",
        "exec('x = 1')",
        "compile('1', 'f', 'eval')",
        "__import__('os')",
        "e = eval\ne('1')",
        "f = [eval]",
        "breakpoint()",
        "input('?')",
        "eval = eval\neval('1')",
    ] {
        assert!(blocked(code).contains(&"python_blocked_call".to_owned()), "{code}");
    }
    let aliased = blocked("from builtins import eval as e\ne('1')");
    assert_eq!(aliased, ["python_blocked_import", "python_blocked_call"]);
    for code in [
        "import re\nre.compile('a')",
        "frame.eval('a + b')",
        "model.compile()",
        "def compile(x): return x\ncompile(1)",
        "input = 3\nprint(input)",
        "def f(input): return input",
        "import ast\nast.literal_eval('1')",
    ] {
        assert_eq!(blocked(code), [""; 0], "{code}");
    }
}

#[test]
fn tricks_are_warnings() {
    for code in [
        "getattr(x, 'eval')('1')",
        "globals().get('exec')",
        "().__class__.__subclasses__()",
        "__builtins__",
    ] {
        assert_eq!(blocked(code), ["python_suspicious"], "{code}");
    }
    assert_eq!(blocked("getattr(x, 'force')"), [""; 0]);
}

#[test]
fn fixed_paths_outside_the_runs_folders_are_not_written() {
    for code in [
        "open('/data/x.csv', 'w')",
        "open('/etc/x', mode='a')",
        "open('~/x', 'wb')",
        "open('../x', 'w')",
        "open('C:/x', 'w')",
        "from pathlib import Path\nPath('/srv/x').write_text('a')",
        "import pathlib as p\n(p.Path('/srv') / 'x').write_bytes(b'')",
        "from pathlib import Path\nPath('/srv/x').open('w')",
        "import io\nio.open('/x', 'w')",
    ] {
        assert_eq!(blocked(code), ["python_write_outside"], "{code}");
    }
    for code in [
        "open('/usr/share/x')",
        "open('/tmp/x', 'w')",
        "open(path, 'w')",
        "open('data/a.csv')",
        "from pathlib import Path\nPath('/srv/x').read_text()",
    ] {
        assert_eq!(blocked(code), [""; 0], "{code}");
    }
}

#[test]
fn a_finding_says_what_to_use_instead() {
    let found = faults(&[(
        "handler.py",
        "import math\n\n\ndef calculate(inputs):\n    return {'y': eval(inputs['f'])}\n",
    )]);
    assert_eq!(
        lines(&found),
        [
            "handler.py:5:18 eval: `eval` is blocked: read values with `json.loads`, `float` or `ast.literal_eval`, choose functions from a dict"
        ]
    );
}

#[test]
fn modules_and_tests_are_checked_too() {
    let found = faults(&[
        ("ec3/bolts.py", "import subprocess\n"),
        ("tests/test_a.py", "import pytest\nimport socket\n"),
    ]);
    let files: Vec<_> =
        found.iter().map(|fault| (fault.file.as_deref().unwrap(), fault.line)).collect();
    assert_eq!(files, [("ec3/bolts.py", Some(1)), ("tests/test_a.py", Some(2))]);
}

#[test]
fn the_allow_list_admits_known_packages_only() {
    let files = folder(&[
        (
            "handler.py",
            "import numpy, mystery, own\nfrom . import own\ndef calculate(i): return i\n",
        ),
        ("own.py", ""),
        ("mecapy.yaml", &scientific()),
    ]);
    let found = read_dir(files.clone(), &Limits::default(), Policy::AllowList).unwrap_err().faults;
    assert_eq!(codes(&found), ["python_blocked_import"]);
    assert!(lines(&found)[0].starts_with("handler.py:1:15 mystery: the import of `mystery` is blocked: the operator admits listed packages only"));
    assert!(read_dir(files, &Limits::default(), Policy::DenyList).is_ok());
}

#[test]
fn switched_off_it_checks_form_and_syntax_only() {
    let files = |code: &str| folder(&[("handler.py", code)]);
    let off = |code| read_dir(files(code), &Limits::default(), Policy::Off);
    let package = off("import os, sys\ndef calculate(i): return eval('i')\n").unwrap();
    assert_eq!(package.warnings, []);
    assert_eq!(package.imports, ["os", "sys"]);
    assert!(off("def run(i): return i\n").is_err());
}

/// The smallest manifest on an image with packages.
fn scientific() -> String {
    MANIFEST.replace("io:", "runtime: {base_image: python-scientific}\nio:")
}

#[test]
fn without_packages_an_import_that_nothing_brings_is_refused_at_its_line() {
    const HANDLER: &str = "\
import math, numpy.linalg
from rainflow import count_cycles
from CoolProp import CoolProp as cp
import own, _bisect
try:
    import scipy
except ImportError:
    scipy = None

def calculate(i):
    import pandas
    return i
";
    let files = [
        ("handler.py", HANDLER),
        ("own.py", "import sympy\n"),
        ("test_a.py", "import hypothesis\n"),
    ];
    let found = faults(&files);
    let there = "is not there: `python-base` has the standard library alone;";
    assert_eq!(
        lines(&found),
        [
            format!(
                "handler.py:1:14 numpy: the module `numpy` {there} name an image that has it: `runtime: {{base_image: python-scientific}}`"
            ),
            format!(
                "handler.py:2:22 rainflow: the module `rainflow` {there} list the package that has it under `dependencies.packages`"
            ),
            format!(
                "handler.py:3:22 CoolProp: the module `CoolProp` {there} name an image that has it: `runtime: {{base_image: python-cfd}}`"
            ),
            format!(
                "handler.py:11:12 pandas: the module `pandas` {there} name an image that has it: `runtime: {{base_image: python-scientific}}`"
            ),
            format!(
                "own.py:1:8 sympy: the module `sympy` {there} name an image that has it: `runtime: {{base_image: python-scientific}}`"
            ),
        ]
    );
    let is_error = |fault: &Fault| fault.severity == Severity::Error;
    assert_eq!(found.iter().map(is_error).collect::<Vec<_>>(), [true, true, true, false, false]);
    assert!(lignes(&found)[0].ends_with("`python-base` n’a que la bibliothèque standard ; nommez une image qui l’a : `runtime: {base_image: python-scientific}`"));
    // What packages bring along is not known before they are locked.
    let with = MANIFEST.replace("io:", "dependencies: {packages: [rainflow]}\nio:");
    for manifest in [with, scientific()] {
        let mut files = files.to_vec();
        files.push(("mecapy.yaml", &manifest));
        assert!(read_files(&files).is_ok(), "{manifest}");
    }
}

#[test]
fn imports_are_collected_for_loading_ahead() {
    let package = read_files(&[
        (
            "handler.py",
            "import numpy as np\nfrom scipy import optimize\nfrom scipy.sparse.linalg import spsolve\nimport ec3.bolts\nfrom own import x\nimport mecapy_runtime\ndef calculate(i):\n    import pandas\n    return i\n",
        ),
        ("ec3/bolts.py", "import math\nfrom . import other\nfrom ..x import y\n"),
        ("own.py", "import numpy\n"),
        ("tests/test_a.py", "import pytest\n"),
        ("test_b.py", "import hypothesis\n"),
        ("mecapy.yaml", &scientific()),
    ]);
    assert_eq!(
        package.unwrap().imports,
        ["math", "numpy", "pandas", "scipy", "scipy.optimize", "scipy.sparse.linalg"]
    );
}

#[test]
fn compiled_modules_and_other_encodings_are_told() {
    let package = read_files(&[("fast.so", "\u{7f}ELF")]).unwrap();
    assert_eq!(codes(&package.warnings), ["python_suspicious"]);
    let mut files = folder(&[]);
    files.push(("latin.py".into(), b"# \xe9\n".to_vec()));
    let found = read_dir(files, &Limits::default(), Policy::DenyList).unwrap_err().faults;
    assert_eq!(codes(&found), ["python_encoding"]);
}

#[test]
fn policies_are_read_as_the_operator_writes_them() {
    for policy in [Policy::DenyList, Policy::AllowList, Policy::Off] {
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    assert_eq!(
        "on".parse::<Policy>().unwrap_err().to_string(),
        "expected `deny-list`, `allow-list` or `off`, found \"on\""
    );
}

#[test]
fn writing_beside_the_code_is_a_warning_that_names_the_right_folder() {
    let code = "def calculate(i):\n    open('a.csv', 'w')\n    return i\n";
    let package = read_files(&[("handler.py", code)]).unwrap();
    assert_eq!(
        lines(&package.warnings),
        [
            "handler.py:2:5 open: \"a.csv\" is beside the code, where a run can't write; write `mecapy_runtime.outputs() / \"a.csv\"` to keep the file"
        ]
    );
}
