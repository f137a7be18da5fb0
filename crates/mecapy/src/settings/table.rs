//! The one table of settings: every name, what it takes and what it means.

/// One setting, by whichever way it is given.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// The key in the TOML file; `limits.x` stands in the table `[limits]`.
    pub key: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds where it is not given.
    pub default: Default,
    /// Whether its value may never be shown.
    pub secret: bool,
    /// Who reads it.
    pub used_by: UsedBy,
    /// What it means, in English and in French.
    pub about: (&'static str, &'static str),
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text that is not empty.
    Text,
    /// A URL that begins with `http://` or `https://`.
    Url,
    /// A path.
    Path,
    /// Paths: separated by `:` in a variable, an array in the file.
    Paths,
    /// Texts: separated by `,` in a variable, an array in the file.
    List,
    /// IP addresses and networks: as a [`Kind::List`].
    Networks,
    /// An IP address.
    Address,
    /// `sqlite://…` or `postgresql://…`.
    Database,
    /// `redis://…` or `rediss://…`.
    Redis,
    /// `true` or `false`.
    Bool,
    /// A whole number from `min` to `max`.
    Integer {
        /// The least that makes sense.
        min: u64,
        /// The most that makes sense.
        max: u64,
    },
    /// A number from `min` to `max`.
    Number {
        /// The least that makes sense.
        min: f64,
        /// The most that makes sense.
        max: f64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// What holds where a setting is not given.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// Nothing: what it describes is off.
    Nothing,
    /// This value, as it would be written in a variable.
    Value(&'static str),
    /// A rule, in English and in French.
    Rule(&'static str, &'static str),
}

/// Who reads a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedBy {
    /// Every command.
    Every,
    /// `up`, `api` and `worker`.
    Server,
    /// The servers and what works on what they keep.
    Keeper,
    /// The servers and `test`, which runs calculations, too.
    Runs,
    /// The commands that talk to a server.
    Client,
    /// No command of this release: the name is kept, and a warning says so.
    Later,
}

impl UsedBy {
    /// The commands' names as documentation lists them.
    #[must_use]
    pub fn commands(self) -> &'static str {
        match self {
            Self::Every => "all",
            Self::Server => "up, api, worker",
            Self::Keeper => "up, api, worker, backup, restore, migrate",
            Self::Runs => "up, api, worker, test",
            Self::Client => "deploy, run, tasks, functions, login, token, user, company, bench",
            Self::Later => "–",
        }
    }
}

/// The setting with this environment variable.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The setting with this key in the TOML file.
#[must_use]
pub fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

const fn setting(
    name: &'static str,
    key: &'static str,
    kind: Kind,
    default: Default,
    used_by: UsedBy,
    en: &'static str,
    fr: &'static str,
) -> Setting {
    Setting { name, key, kind, default, secret: false, used_by, about: (en, fr) }
}

const fn secret(mut setting: Setting) -> Setting {
    setting.secret = true;
    setting
}

const fn integer(min: u64, max: u64) -> Kind {
    Kind::Integer { min, max }
}

/// Larger than any sensible size in bytes, and still exact in JSON and TOML.
const MOST_BYTES: u64 = 1 << 53;

use self::Default::{Nothing, Rule, Value};
use self::UsedBy::{Client, Every, Keeper, Later, Runs, Server};

/// Every setting, in the order in which documentation shows them.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    setting("MECAPY_CONFIG", "", Kind::Path,
        Rule("the first of `<data>/mecapy.toml` and `/etc/mecapy/mecapy.toml` that exists",
             "le premier de `<data>/mecapy.toml` et `/etc/mecapy/mecapy.toml` qui existe"), Every,
        "The TOML file with settings; also `--config`.",
        "Le fichier TOML des réglages ; aussi `--config`."),
    setting("MECAPY_DATA", "data", Kind::Path,
        Rule("`$XDG_DATA_HOME/mecapy`, else `~/.local/share/mecapy`",
             "`$XDG_DATA_HOME/mecapy`, sinon `~/.local/share/mecapy`"), Every,
        "The folder with everything the server keeps; also `--data`.",
        "Le dossier de tout ce que le serveur conserve ; aussi `--data`."),
    setting("ENVIRONMENT", "environment", Kind::Choice(&["development", "staging", "production"]),
        Value("production"), Server,
        "What this installation is for; it stands in every log line.",
        "À quoi sert cette installation ; figure dans chaque ligne de journal."),
    setting("LOG_LEVEL", "log_level", Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        Value("info"), Every,
        "The least weighty log lines that are written. Client commands, and `up` on a terminal, log only warnings unless it is given.",
        "Les lignes de journal les moins graves qui sont écrites. Les commandes clientes, et `up` dans un terminal, n’écrivent que les avertissements s’il n’est pas donné."),
    setting("PORT", "port", integer(0, 65_535), Value("8000"), Server,
        "The port that `up` listens on, 0 for a free one; also `--port`. Given as a variable it also opens the server to the network (0.0.0.0).",
        "Le port d’écoute de `up`, 0 pour un port libre ; aussi `--port`. Donné comme variable, il ouvre aussi le serveur au réseau (0.0.0.0)."),
    setting("MECAPY_HOST", "host", Kind::Address,
        Rule("127.0.0.1; 0.0.0.0 where the variable `PORT` is set", "127.0.0.1 ; 0.0.0.0 si la variable `PORT` est définie"), Server,
        "The address that `up` listens on.",
        "L’adresse d’écoute de `up`."),
    setting("CORS_ALLOW_ORIGINS", "cors_allow_origins", Kind::List, Nothing, Server,
        "Origins whose pages may call the API from a browser.",
        "Les origines dont les pages peuvent appeler l’API depuis un navigateur."),
    setting("MECAPY_TRUSTED_PROXIES", "trusted_proxies", Kind::Networks, Nothing, Server,
        "Addresses and networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is believed; of it, the rightmost address that none of them has.",
        "Adresses et réseaux (`10.0.0.0/8`) des mandataires dont le `X-Forwarded-For` est cru ; de celui-ci, l’adresse la plus à droite qui n’est à aucun d’eux."),
    setting("MECAPY_RATE_USER", "rate_user", integer(1, 1_000_000), Nothing, Server,
        "Requests that one user may make in a minute, with all tokens and sessions.",
        "Nombre de requêtes qu’un utilisateur peut faire en une minute, tous jetons et sessions confondus."),
    setting("MECAPY_RATE_TOKEN", "rate_token", integer(1, 1_000_000), Nothing, Server,
        "Requests that may be made with one token in a minute.",
        "Nombre de requêtes possibles avec un même jeton en une minute."),
    setting("MECAPY_RATE_ADDRESS", "rate_address", integer(1, 1_000_000), Nothing, Server,
        "Requests that may come from one address in a minute; of IPv6, from one network of 64 bits.",
        "Nombre de requêtes possibles depuis une même adresse en une minute ; en IPv6, depuis un même réseau de 64 bits."),
    setting("MECAPY_STREAMS_PER_USER", "streams_per_user", integer(1, 1_000_000), Value("256"), Server,
        "Streams of events that one user may have open at once.",
        "Nombre de flux d’événements qu’un utilisateur peut avoir ouverts à la fois."),
    setting("MECAPY_STREAMS_PER_COMPANY", "streams_per_company", integer(1, 1_000_000), Value("2048"), Server,
        "Streams of events that the users of one company may have open at once.",
        "Nombre de flux d’événements que les utilisateurs d’une entreprise peuvent avoir ouverts à la fois."),
    setting("MECAPY_SESSION_IDLE_S", "session_idle_s", integer(60, 86_400 * 30), Value("43200"), Server,
        "How long a browser's session may be unused, in seconds.",
        "Combien de temps la session d’un navigateur peut rester inutilisée, en secondes."),
    setting("MECAPY_SESSION_MAX_S", "session_max_s", integer(60, 86_400 * 365), Value("604800"), Server,
        "How long a browser's session lasts, however much it is used, in seconds.",
        "Combien de temps dure la session d’un navigateur, même utilisée, en secondes."),
    setting("TOKEN_VERIFICATION_ENABLED", "token_verification_enabled", Kind::Bool, Value("true"), Server,
        "Whether requests need a valid token. `false` only with `ENVIRONMENT=development`: else the start is refused.",
        "Si les requêtes doivent porter un jeton valide. `false` seulement avec `ENVIRONMENT=development` : sinon le démarrage est refusé."),
    setting("MECAPY_API_URL", "api_url", Kind::Url,
        Rule("the server of the last `mecapy login`, else the one that `mecapy up` started on this machine",
             "le serveur du dernier `mecapy login`, sinon celui que `mecapy up` a démarré sur cette machine"), Client,
        "The server that client commands talk to; also `--api-url`.",
        "Le serveur auquel parlent les commandes clientes ; aussi `--api-url`."),
    secret(setting("MECAPY_TOKEN", "token", Kind::Text,
        Rule("what `mecapy login` keeps for the server, else the administrator's token of the local server, and only for that server",
             "ce que `mecapy login` garde pour le serveur, sinon le jeton d’administration du serveur local, et pour ce serveur seulement"), Client,
        "The token that client commands present.",
        "Le jeton que présentent les commandes clientes.")),
    setting("MECAPY_STATIC_CHECK", "static_check", Kind::Choice(&["deny-list", "allow-list", "off"]),
        Value("deny-list"), Runs,
        "How strictly the code of archives is checked before it runs. It keeps authors honest; the sandbox is the boundary.",
        "Avec quelle rigueur le code des archives est contrôlé avant son exécution. Il aide les auteurs ; la frontière est le bac à sable."),
    setting("MECAPY_ADVISORIES", "advisories", Kind::Path, Nothing, Runs,
        "The folder or ZIP of advisories in the OSV format, such as PyPI's `all.zip` of osv.dev, against which locked packages are checked; a known vulnerability is a warning.",
        "Le dossier ou ZIP d’avis au format OSV, tel que le `all.zip` de PyPI sur osv.dev, auquel les paquets verrouillés sont comparés ; une vulnérabilité connue est un avertissement."),
    setting("MECAPY_ALLOWED_NETWORKS", "allowed_networks", Kind::Networks, Nothing, Server,
        "Networks that repositories may be fetched from though they are not public, such as that of your own Git server.",
        "Les réseaux d’où des dépôts peuvent être lus bien qu’ils ne soient pas publics, tels que celui de votre serveur Git."),
    setting("MECAPY_GIT_CA_FILE", "git_ca_file", Kind::Path,
        Rule("Mozilla's authorities", "les autorités de Mozilla"), Server,
        "A file with the certificates in PEM of the authorities that Git servers are trusted by, instead of the usual ones: put yours behind the system's, such as those of `/etc/ssl/certs/ca-certificates.crt`.",
        "Un fichier avec les certificats PEM des autorités auxquelles se fier pour les serveurs Git, au lieu des habituelles : ajoutez la vôtre à celles du système, par exemple celles de `/etc/ssl/certs/ca-certificates.crt`."),
    setting("MECAPY_PYTHONS", "pythons", Kind::Paths,
        Rule("those found on `PATH` and under `~/.pyenv/versions`", "ceux trouvés dans `PATH` et sous `~/.pyenv/versions`"), Runs,
        "Python executables to use, each the real one and never a shim.",
        "Les exécutables Python à utiliser, chacun le vrai et jamais un « shim »."),
    setting("MECAPY_DEFAULT_PYTHON", "default_python", Kind::Choice(&["3.9", "3.10", "3.11", "3.12", "3.13"]),
        Rule("3.12 where it is found, else the newest one found", "3.12 s’il est trouvé, sinon le plus récent trouvé"), Runs,
        "The Python version of functions that ask for none.",
        "La version de Python des fonctions qui n’en demandent pas."),
    setting("MECAPY_PYTHON_MIRROR", "python_mirror", Kind::Url, Nothing, Runs,
        "A mirror of python-build-standalone's releases, from which missing interpreters are fetched.",
        "Un miroir des versions de python-build-standalone, d’où viennent les interpréteurs manquants."),
    setting("MECAPY_UV", "uv", Kind::Path,
        Rule("`uv` in `.tools/bin`, else beside the program, else on `PATH`", "`uv` dans `.tools/bin`, sinon à côté du programme, sinon dans `PATH`"), Runs,
        "The `uv` program that builds environments.",
        "Le programme `uv` qui construit les environnements."),
    secret(setting("MECAPY_INDEX_URL", "index_url", Kind::Url,
        Rule("PyPI", "PyPI"), Runs,
        "The package index; it may hold credentials.",
        "L’index de paquets ; il peut contenir des identifiants.")),
    setting("MECAPY_OFFLINE", "offline", Kind::Bool, Value("false"), Runs,
        "Whether environments are built only from what is already on this machine.",
        "Si les environnements ne sont construits qu’à partir de ce que la machine contient déjà."),
    setting("MECAPY_WHEELS", "wheels", Kind::Paths, Nothing, Runs,
        "Folders with wheels, asked beside the package index.",
        "Des dossiers de wheels, consultés en plus de l’index de paquets."),
    setting("MECAPY_SLOTS", "slots", integer(1, 4096),
        Rule("one per core and one more", "un par cœur, plus un"), Server,
        "Calculations that run at the same time.",
        "Le nombre de calculs simultanés."),
    setting("MECAPY_TEMPLATE_MEMORY_MB", "template_memory_mb", integer(1, 1 << 24), Value("2048"), Server,
        "Memory that warm templates may hold together, in MB; the least used one goes first.",
        "Mémoire que les modèles chauds peuvent occuper ensemble, en Mo ; le moins utilisé part le premier."),
    setting("MECAPY_TEMPLATE_RUNS", "template_runs", integer(1, 1 << 32), Value("10000"), Server,
        "Runs after which a warm template is replaced by a fresh one, as its runs share one hash seed and one address layout.",
        "Nombre de calculs après lequel un modèle chaud est remplacé par un neuf, car ses calculs partagent une graine de hachage et une disposition mémoire."),
    setting("MECAPY_TEMPLATE_AGE_S", "template_age_s", integer(1, 86_400 * 30), Value("3600"), Server,
        "Age after which a warm template is replaced, too, behind its next run, in seconds.",
        "Âge après lequel un modèle chaud est remplacé aussi, derrière son prochain calcul, en secondes."),
    setting("MECAPY_ENVIRONMENTS_MB", "environments_mb", integer(256, 1 << 30), Value("20480"), Runs,
        "Disk that built environments may take, in MB; unused ones go first.",
        "Disque que les environnements construits peuvent occuper, en Mo ; les inutilisés partent les premiers."),
    setting("MECAPY_MAX_ATTEMPTS", "limits.max_attempts", integer(1, 10), Value("3"), Server,
        "Attempts of a task in all, for functions whose manifest says nothing of it; recorded when they are deployed.",
        "Nombre d’essais d’une tâche en tout, pour les fonctions dont le manifeste n’en dit rien ; retenu à leur déploiement."),
    setting("MECAPY_DRAIN_S", "drain_s", integer(0, 86_400 * 30), Value("30"), Server,
        "How long a stop waits for running calculations, in seconds; the rest run again after the next start.",
        "Combien de temps un arrêt attend les calculs en cours, en secondes ; les autres reprennent au démarrage suivant."),
    setting("MECAPY_CONNECTIONS", "connections", integer(1, 1_000_000), Value("10000"), Server,
        "Connections that may be open at once, within the files that the system lets the server open; further ones are answered 503.",
        "Nombre de connexions ouvertes à la fois, dans la limite des fichiers que le système laisse ouvrir au serveur ; les suivantes reçoivent 503."),
    setting("MECAPY_HEAD_TIMEOUT_S", "head_timeout_s", integer(1, 3600), Value("30"), Server,
        "How long a connection may take to send the head of a request, and stay open without one, in seconds.",
        "Combien de temps une connexion peut mettre à envoyer l’en-tête d’une requête, ou rester ouverte sans en envoyer, en secondes."),
    setting("MECAPY_BODY_PAUSE_S", "body_pause_s", integer(1, 3600), Value("30"), Server,
        "How long a body may pause on its way in or out, in seconds; one that comes in must also make 1 KiB a second on average.",
        "Combien de temps un corps peut s’interrompre, à l’arrivée comme au départ, en secondes ; un corps reçu doit aussi faire 1 Kio par seconde en moyenne."),
    setting("MECAPY_TIMEOUT_MAX", "limits.timeout_s", integer(1, 86_400), Value("600"), Runs,
        "Ceiling of `timeout` outside the long-running class, in seconds.",
        "Plafond de `timeout` hors de la classe des calculs longs, en secondes."),
    setting("MECAPY_TIMEOUT_LONG", "limits.long_timeout_s", integer(1, 86_400 * 60),
        Rule("the same: no long runs", "le même : pas de calculs longs"), Runs,
        "Ceiling of `timeout` in the long-running class, in seconds.",
        "Plafond de `timeout` dans la classe des calculs longs, en secondes."),
    setting("MECAPY_MEMORY_LIMIT_MAX_MB", "limits.memory_limit_mb", integer(16, 1 << 24), Value("4096"), Runs,
        "Ceiling of `memory_limit`, in MB.",
        "Plafond de `memory_limit`, en Mo."),
    setting("MECAPY_CPU_LIMIT_MAX", "limits.cpu_limit", Kind::Number { min: 0.05, max: 4096.0 }, Value("4"), Runs,
        "Ceiling of `cpu_limit`, in cores.",
        "Plafond de `cpu_limit`, en cœurs."),
    setting("MECAPY_PIDS_MAX", "limits.pids", integer(8, 1 << 22), Value("128"), Runs,
        "Processes and threads of one run.",
        "Nombre de processus et de fils d’un calcul."),
    setting("MECAPY_QUEUED_TASKS_MAX", "limits.queued_tasks", integer(1, MOST_BYTES), Value("100000"), Server,
        "Tasks that may wait at once, over all companies.",
        "Nombre de tâches qui peuvent attendre en même temps, toutes entreprises confondues."),
    setting("MECAPY_ARCHIVE_BYTES_MAX", "limits.archive_bytes", integer(1024, MOST_BYTES), Value("52428800"), Runs,
        "Size of an uploaded archive, in bytes.",
        "Taille d’une archive envoyée, en octets."),
    setting("MECAPY_ARCHIVE_INFLATED_BYTES_MAX", "limits.archive_inflated_bytes", integer(1024, MOST_BYTES), Value("524288000"), Runs,
        "Size of an archive's files once inflated, in bytes.",
        "Taille des fichiers d’une archive une fois décompressés, en octets."),
    setting("MECAPY_ARCHIVE_ENTRIES_MAX", "limits.archive_entries", integer(2, 1 << 24), Value("10000"), Runs,
        "Number of entries in an archive.",
        "Nombre d’entrées d’une archive."),
    setting("MECAPY_INPUTS_BYTES_MAX", "limits.inputs_bytes", integer(2, MOST_BYTES), Value("16777216"), Runs,
        "Size of the inputs of one task, in bytes of JSON.",
        "Taille des entrées d’une tâche, en octets de JSON."),
    setting("MECAPY_FILE_BYTES_MAX", "limits.file_bytes", integer(1, MOST_BYTES), Value("268435456"), Server,
        "Size of an uploaded input file, in bytes.",
        "Taille d’un fichier d’entrée envoyé, en octets."),
    setting("MECAPY_INLINE_RESULT_BYTES_MAX", "limits.inline_result_bytes", integer(0, 1 << 24), Value("262144"), Server,
        "Results up to this size stand in the task itself, in bytes of JSON.",
        "Les résultats jusqu’à cette taille figurent dans la tâche même, en octets de JSON."),
    setting("MECAPY_RESULT_BYTES_MAX", "limits.result_bytes", integer(2, 1 << 32), Value("134217728"), Runs,
        "Size of a result, in bytes of JSON.",
        "Taille d’un résultat, en octets de JSON."),
    setting("MECAPY_LOG_BYTES_MAX", "limits.log_bytes", integer(0, 1 << 32), Value("1048576"), Runs,
        "Size of the log of one task that is kept, in bytes.",
        "Taille conservée du journal d’une tâche, en octets."),
    setting("MECAPY_ARTIFACT_BYTES_MAX", "limits.artifact_bytes", integer(0, MOST_BYTES), Value("268435456"), Runs,
        "Size of all artifacts of one task together, in bytes.",
        "Taille de tous les fichiers produits par une tâche, en octets."),
    setting("MECAPY_ARTIFACT_COUNT_MAX", "limits.artifact_count", integer(0, 1 << 20), Value("100"), Runs,
        "Number of artifacts of one task.",
        "Nombre de fichiers produits par une tâche."),
    secret(setting("DATABASE_URL", "database_url", Kind::Database,
        Rule("`<data>/mecapy.db`", "`<data>/mecapy.db`"), Keeper,
        "The database: `sqlite:///./dev.db`, a relative path, or `postgresql://user:password@host:5432/database?sslmode=verify-full`.",
        "La base de données : `sqlite:///./dev.db`, un chemin relatif, ou `postgresql://user:password@host:5432/base?sslmode=verify-full`.")),
    setting("DB_POOL_SIZE", "db_pool_size", integer(1, 10_000), Value("5"), Keeper,
        "Connections to PostgreSQL that are kept. Two of them write.",
        "Connexions à PostgreSQL qui sont gardées. Deux d’entre elles écrivent."),
    setting("DB_MAX_OVERFLOW", "db_max_overflow", integer(0, 10_000), Value("10"), Keeper,
        "Further connections while they are needed.",
        "Connexions de plus, tant qu’il en faut."),
    setting("DB_POOL_TIMEOUT", "db_pool_timeout", integer(1, 3600), Value("30"), Keeper,
        "How long work waits for a PostgreSQL that is away, in seconds.",
        "Combien de temps attendre un PostgreSQL absent, en secondes."),
    setting("DB_POOL_RECYCLE", "db_pool_recycle", integer(1, 86_400 * 7), Value("1800"), Keeper,
        "Age at which a connection is replaced, in seconds.",
        "Âge auquel une connexion est remplacée, en secondes."),
    secret(setting("REDIS_URL", "redis_url", Kind::Redis, Nothing, Server,
        "Redis, `redis://USER:PASSWORD@HOST:PORT/DB` or `rediss://` with TLS: what many processes on one PostgreSQL order their queue by.",
        "Redis, `redis://UTILISATEUR:MOT_DE_PASSE@HÔTE:PORT/BASE`, ou `rediss://` avec TLS : ce par quoi plusieurs processus sur un PostgreSQL ordonnent leur file.")),
    setting("MECAPY_REDIS_CA_FILE", "redis_ca_file", Kind::Path,
        Rule("the usual authorities", "les autorités habituelles"), Server,
        "The certificate, in PEM, of the authority that vouches for Redis.",
        "Le certificat, en PEM, de l’autorité qui garantit Redis."),
    setting("S3_BUCKET", "s3_bucket", Kind::Text,
        Rule("the folder `blobs` of the data", "le dossier `blobs` des données"), Server,
        "The bucket for archives, inputs, large results, files and logs.",
        "Le compartiment des archives, entrées, grands résultats, fichiers et journaux."),
    setting("CLOUD_BUCKET_UPLOADS", "cloud_bucket_uploads", Kind::Text, Nothing, Server,
        "The same as `S3_BUCKET`, which comes first.",
        "Identique à `S3_BUCKET`, qui l’emporte."),
    setting("S3_ENDPOINT", "s3_endpoint", Kind::Url,
        Rule("AWS in the region", "AWS dans la région"), Server,
        "The object store's address, such as `https://s3.fr-par.scw.cloud`.",
        "L’adresse du stockage d’objets, par exemple `https://s3.fr-par.scw.cloud`."),
    setting("CLOUD_REGION", "cloud_region", Kind::Text, Value("us-east-1"), Server,
        "The object store's region, part of every signature.",
        "La région du stockage d’objets, présente dans chaque signature."),
    setting("MECAPY_S3_PREFIX", "s3_prefix", Kind::Text, Nothing, Server,
        "What all names in the bucket begin with, where others use it, too.",
        "Ce par quoi commencent tous les noms dans le compartiment, si d’autres l’utilisent aussi."),
    setting("MECAPY_S3_ALLOW_HTTP", "s3_allow_http", Kind::Bool, Value("false"), Server,
        "Whether the object store of another machine may be spoken to without TLS.",
        "Si le stockage d’objets d’une autre machine peut être contacté sans TLS."),
    setting("MECAPY_S3_CA_FILE", "s3_ca_file", Kind::Path,
        Rule("the usual authorities", "les autorités habituelles"), Server,
        "The certificate, in PEM, of the authority that vouches for the object store.",
        "Le certificat, en PEM, de l’autorité qui garantit le stockage d’objets."),
    secret(setting("SCW_ACCESS_KEY", "scw_access_key", Kind::Text, Nothing, Server,
        "The object store's access key.",
        "La clé d’accès du stockage d’objets.")),
    secret(setting("SCW_SECRET_KEY", "scw_secret_key", Kind::Text, Nothing, Server,
        "The object store's secret key.",
        "La clé secrète du stockage d’objets.")),
    setting("KEYCLOAK_URL", "keycloak_url", Kind::Url, Nothing, Later,
        "Keycloak's address.",
        "L’adresse de Keycloak."),
    setting("KEYCLOAK_REALM", "keycloak_realm", Kind::Text, Nothing, Later,
        "Keycloak's realm.",
        "Le domaine (realm) de Keycloak."),
    setting("KEYCLOAK_CLIENT_ID", "keycloak_client_id", Kind::Text, Nothing, Later,
        "The client's id in Keycloak.",
        "L’identifiant du client dans Keycloak."),
    secret(setting("KEYCLOAK_CLIENT_SECRET", "keycloak_client_secret", Kind::Text, Nothing, Later,
        "The client's secret in Keycloak.",
        "Le secret du client dans Keycloak.")),
    secret(setting("SENTRY_DSN", "sentry_dsn", Kind::Text, Nothing, Server,
        "Where errors are reported to, `https://KEY@HOST/PROJECT`; without inputs, results, tokens and names.",
        "Où les erreurs sont signalées, `https://CLÉ@HÔTE/PROJET` ; sans entrées, résultats, jetons ni noms.")),
    setting("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint", Kind::Url, Nothing, Server,
        "The collector that traces are sent to, by OTLP over HTTP; `/v1/traces` is put behind it.",
        "Le collecteur auquel les traces sont envoyées, par OTLP sur HTTP ; `/v1/traces` y est ajouté."),
    secret(setting("OTEL_EXPORTER_OTLP_HEADERS", "otlp_headers", Kind::Text, Nothing, Server,
        "Headers for the collector, `name=value` separated by commas.",
        "En-têtes pour le collecteur, `nom=valeur` séparés par des virgules.")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_every_key_stands_once() {
        for (at, one) in SETTINGS.iter().enumerate() {
            for other in &SETTINGS[at + 1..] {
                assert_ne!(one.name, other.name);
                assert_ne!(one.key, other.key, "{}", one.name);
            }
        }
    }

    #[test]
    fn every_limit_of_the_domain_is_a_setting_with_the_same_default() {
        let limits = serde_json::to_value(domain::limits::Limits::default()).unwrap();
        for (key, value) in limits.as_object().unwrap() {
            let setting = by_key(&format!("limits.{key}")).unwrap_or_else(|| panic!("{key}"));
            if let Value(text) = setting.default {
                let same = text.parse::<f64>().unwrap() == value.as_f64().unwrap();
                assert!(same, "{key}: the table says {text}, the domain {value}");
            }
        }
    }
}
