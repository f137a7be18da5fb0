//! The operator's policy on imports and calls, as tables to be reviewed.
//!
//! It keeps authors honest and tells them early what would fail in the
//! sandbox anyway. The sandbox is the security boundary, this is not.

use std::fmt;
use std::str::FromStr;

/// What the static check refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Imports and calls that calculations have no use for.
    #[default]
    DenyList,
    /// Every import that is not on the list of known packages, besides what
    /// [`Policy::DenyList`] refuses.
    AllowList,
    /// Nothing but syntax and the handler's form.
    Off,
}

/// A policy that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `deny-list`, `allow-list` or `off`, found {0:?}")]
pub struct UnknownPolicy(pub String);

impl FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        match text {
            "deny-list" => Ok(Self::DenyList),
            "allow-list" => Ok(Self::AllowList),
            "off" => Ok(Self::Off),
            other => Err(UnknownPolicy(other.to_owned())),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DenyList => "deny-list",
            Self::AllowList => "allow-list",
            Self::Off => "off",
        })
    }
}

/// Why a module is blocked and what to use instead.
pub(super) struct Blocked {
    pub(super) modules: &'static [&'static str],
    pub(super) en: &'static str,
    pub(super) fr: &'static str,
}

/// Top-level modules that no calculation needs, by reason.
pub(super) const BLOCKED: &[Blocked] = &[
    Blocked {
        modules: &["os", "posix", "nt", "posixpath", "ntpath"],
        en: "use `pathlib` for paths and `mecapy_runtime.outputs()` for the folder of results; of `os`, only `os.path` and `os.environ[\"MECAPY_OUTPUTS\"]` are admitted",
        fr: "employez `pathlib` pour les chemins et `mecapy_runtime.outputs()` pour le dossier des résultats ; de `os`, seuls `os.path` et `os.environ[\"MECAPY_OUTPUTS\"]` sont admis",
    },
    Blocked {
        modules: &["subprocess", "pty", "commands", "popen2", "sh", "pexpect"],
        en: "a run starts no other program; use a package that computes in Python",
        fr: "un calcul ne lance pas d’autre programme ; employez un paquet qui calcule en Python",
    },
    Blocked {
        modules: &[
            "socket",
            "socketserver",
            "ssl",
            "select",
            "selectors",
            "asyncore",
            "asynchat",
            "http",
            "urllib3",
            "ftplib",
            "poplib",
            "imaplib",
            "smtplib",
            "smtpd",
            "telnetlib",
            "nntplib",
            "xmlrpc",
            "requests",
            "httpx",
            "aiohttp",
            "websockets",
            "paramiko",
            "webbrowser",
            "boto3",
            "botocore",
        ],
        en: "a run has no network; pass data as inputs or as an input file (`format: file`)",
        fr: "un calcul n’a pas de réseau ; passez les données en entrée ou par un fichier d’entrée (`format: file`)",
    },
    Blocked {
        modules: &["multiprocessing", "_multiprocessing", "_posixsubprocess", "_posixshmem"],
        en: "a run is one process within its CPU limit; NumPy uses the cores by itself, and a study runs many points at once",
        fr: "un calcul est un seul processus dans sa limite CPU ; NumPy emploie les cœurs de lui-même, et une étude traite de nombreux points à la fois",
    },
    Blocked {
        modules: &[
            "ctypes",
            "_ctypes",
            "cffi",
            "_cffi_backend",
            "mmap",
            "fcntl",
            "resource",
            "signal",
            "syslog",
            "termios",
            "tty",
            "readline",
            "pwd",
            "grp",
            "spwd",
            "crypt",
            "faulthandler",
        ],
        en: "a calculation needs no access to the machine's interior; use Python and its numerical packages",
        fr: "un calcul n’a pas besoin d’accéder à l’intérieur de la machine ; employez Python et ses paquets numériques",
    },
    Blocked {
        modules: &[
            "importlib",
            "imp",
            "pkgutil",
            "runpy",
            "zipimport",
            "pip",
            "ensurepip",
            "venv",
            "site",
            "setuptools",
            "distutils",
        ],
        en: "import modules by name with `import`; packages are listed under `dependencies`",
        fr: "importez les modules par leur nom avec `import` ; les paquets se listent sous `dependencies`",
    },
    Blocked {
        modules: &[
            "sys",
            "_thread",
            "gc",
            "builtins",
            "code",
            "codeop",
            "inspect",
            "marshal",
            "pickle",
            "_pickle",
            "cPickle",
            "dill",
            "cloudpickle",
            "shelve",
            "pdb",
            "bdb",
            "trace",
            "tracemalloc",
            "atexit",
            "__main__",
        ],
        en: "a calculation needs no access to the interpreter's interior; raise an exception to stop, `print` to log, `json` or `csv` to store",
        fr: "un calcul n’a pas besoin d’accéder à l’intérieur de l’interpréteur ; levez une exception pour arrêter, `print` pour journaliser, `json` ou `csv` pour stocker",
    },
];

/// Submodules that are blocked while their parent is not.
pub(super) const BLOCKED_PARTS: &[(&str, &str, &str)] = &[
    (
        "urllib.request",
        "a run has no network; pass data as inputs or as an input file (`format: file`)",
        "un calcul n’a pas de réseau ; passez les données en entrée ou par un fichier d’entrée (`format: file`)",
    ),
    (
        "logging.handlers",
        "use `logging` itself or `print`; both reach the task's log",
        "employez `logging` lui-même ou `print` ; les deux arrivent au journal de la tâche",
    ),
    (
        "concurrent.futures.process",
        "a run is one process within its CPU limit",
        "un calcul est un seul processus dans sa limite CPU",
    ),
    (
        "numpy.ctypeslib",
        "use NumPy's functions on arrays",
        "employez les fonctions de NumPy sur les tableaux",
    ),
];

/// Modules that every policy admits, the platform's own among them.
pub(super) const RUNTIME: &str = "mecapy_runtime";

/// What `allow-list` admits of the standard library and of packages.
pub(super) const ALLOWED: &[&str] = &[
    "__future__",
    "abc",
    "array",
    "base64",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "concurrent",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "glob",
    "graphlib",
    "hashlib",
    "heapq",
    "io",
    "itertools",
    "json",
    "keyword",
    "locale",
    "logging",
    "math",
    "numbers",
    "operator",
    "os",
    "pathlib",
    "pprint",
    "random",
    "re",
    "secrets",
    "statistics",
    "string",
    "struct",
    "tempfile",
    "textwrap",
    "threading",
    "time",
    "timeit",
    "tomllib",
    "traceback",
    "types",
    "typing",
    "typing_extensions",
    "unicodedata",
    "unittest",
    "uuid",
    "warnings",
    "weakref",
    "xml",
    "zlib",
    "zoneinfo",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "sympy",
    "pint",
    "meshio",
    "fluids",
    "ht",
    "thermo",
    "chemicals",
    "CoolProp",
    "mpmath",
    "uncertainties",
    "networkx",
    "shapely",
    "sectionproperties",
    "structuralcodes",
    "rainflow",
    "openpyxl",
    "xlsxwriter",
    "pyarrow",
    "polars",
    "seaborn",
    "plotly",
    "SALib",
    "openturns",
    "sklearn",
    "statsmodels",
    "numba",
    "jax",
    "casadi",
    "cvxpy",
    "pulp",
    "ezdxf",
    "gmsh",
    "pyvista",
    "trimesh",
    "PIL",
    "tabulate",
    "jinja2",
    "yaml",
    "pydantic",
    "attrs",
    "attr",
    "dateutil",
    "pytz",
    "tqdm",
    "joblib",
    "handcalcs",
    "forallpeople",
    "anastruct",
    "PyNite",
    "Pynite",
    "pytest",
    "hypothesis",
];

/// Names of builtins that are blocked as calls, and what to use instead.
pub(super) const BLOCKED_CALLS: &[(&str, &str, &str)] = &[
    (
        "eval",
        "read values with `json.loads`, `float` or `ast.literal_eval`, choose functions from a dict",
        "lisez les valeurs par `json.loads`, `float` ou `ast.literal_eval`, choisissez les fonctions dans un dict",
    ),
    (
        "exec",
        "call functions by name or from a dict",
        "appelez les fonctions par leur nom ou dans un dict",
    ),
    (
        "compile",
        "for regular expressions use `re.compile`; code is not made at run time",
        "pour les expressions régulières, `re.compile` ; le code ne se fabrique pas à l’exécution",
    ),
    (
        "__import__",
        "import modules by name with `import`",
        "importez les modules par leur nom avec `import`",
    ),
    (
        "breakpoint",
        "use `print`; a run has no terminal",
        "employez `print` ; un calcul n’a pas de terminal",
    ),
    (
        "input",
        "take values from the argument of `calculate`; a run has no terminal",
        "prenez les valeurs de l’argument de `calculate` ; un calcul n’a pas de terminal",
    ),
];
