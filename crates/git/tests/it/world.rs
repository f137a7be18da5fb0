//! A fetcher that knows one server, and packs made by hand.

use std::io::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use git::{Error, Fetched, Fetcher, Files, Limits, Login, Reach, Request, Settings};
use serde_json::{Value, json};
use test_support::git::GitServer;

/// A fetcher and the server that it may call.
pub(crate) struct World {
    pub(crate) server: GitServer,
    pub(crate) limits: Limits,
    pub(crate) allowed: &'static str,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_rules(&json!([]))
    }

    /// A server that answers by hand.
    pub(crate) fn with_rules(rules: &Value) -> Self {
        Self {
            server: GitServer::with_rules(rules).unwrap(),
            limits: Limits::default(),
            allowed: "127.0.0.1/32",
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A server that sends this pack, whatever it is asked for.
    pub(crate) fn with_pack(pack: &[u8]) -> Self {
        let bands = pack.chunks(60_000).map(|chunk| line(&[b"\x01", chunk].concat()));
        Self::with_answer(&[line(b"packfile\n"), bands.collect::<Vec<_>>().concat()].concat())
    }

    /// A server that answers every command with these bytes and an end.
    pub(crate) fn with_answer(answer: &[u8]) -> Self {
        Self::with_rules(&json!([
            greeting("/f.git"),
            { "path": "/f.git/git-upload-pack", "body": base64(&[answer, b"0000"].concat()) },
        ]))
    }

    pub(crate) fn fetcher(&self) -> Fetcher {
        self.trusting(&[&self.server])
    }

    /// A fetcher that trusts the authorities of these servers.
    pub(crate) fn trusting(&self, servers: &[&GitServer]) -> Fetcher {
        let pem = |server: &&GitServer| std::fs::read_to_string(server.authority()).unwrap();
        Fetcher::new(Settings {
            program: env!("CARGO_BIN_EXE_git-fetch").into(),
            folder: self.folder.path().to_owned(),
            reach: Reach {
                allowed: self.allowed.split(' ').filter_map(|n| n.parse().ok()).collect(),
            },
            authorities: Some(servers.iter().map(pem).collect()),
            limits: self.limits.clone(),
        })
    }

    pub(crate) async fn fetch(&self, reference: &str, path: &str) -> Result<Fetched<Files>, Error> {
        self.fetcher().fetch(self.request("f.git", reference, path), Files::new()).await
    }

    pub(crate) fn request(&self, name: &str, reference: &str, path: &str) -> Request {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Request {
            url: self.server.url(name),
            reference: text(reference),
            path: text(path),
            login: None,
        }
    }

    /// Asks for a commit, so that nothing is looked up before.
    pub(crate) async fn refused(&self, commit: &str) -> Error {
        match self.fetch(commit, "").await {
            Ok(snapshot) => panic!("it was fetched: {snapshot:?}"),
            Err(error) => error,
        }
    }
}

pub(crate) fn login(token: &str) -> Option<Login> {
    Some(Login::of_token(token))
}

/// What people read of an error, in both languages.
pub(crate) fn told(error: &Error) -> String {
    let faults = error.faults();
    let lines = faults.iter().flat_map(|fault| {
        let place = fault.file.clone().or(fault.key.clone()).unwrap_or_default();
        let (en, fr) = (&fault.message.en, &fault.message.fr);
        assert_ne!(en, fr, "not translated");
        [format!("{} {place}: {en}", fault.code), format!("{place} : {fr}")]
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(crate) fn paths(snapshot: &Fetched<Files>) -> Vec<&str> {
    snapshot.files.iter().map(|(path, _)| path.as_str()).collect()
}

/// A packet line.
pub(crate) fn line(bytes: &[u8]) -> Vec<u8> {
    [format!("{:04x}", bytes.len() + 4).as_bytes(), bytes].concat()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The rule by which a server of version 2 greets.
pub(crate) fn greeting(repository: &str) -> Value {
    let words = ["version 2\n", "ls-refs\n", "fetch=shallow\n", "object-format=sha1\n"];
    let words = words.iter().map(|word| line(word.as_bytes())).collect::<Vec<_>>().concat();
    json!({ "path": format!("{repository}/info/refs"), "body": base64(&[&words[..], b"0000"].concat()) })
}

pub(crate) const COMMIT: u8 = 1;
pub(crate) const TREE: u8 = 2;
pub(crate) const BLOB: u8 = 3;
pub(crate) const NEAR: u8 = 6;
pub(crate) const NAMED: u8 = 7;

/// A pack that is written entry by entry.
pub(crate) struct Pack {
    bytes: Vec<u8>,
    pub(crate) count: u32,
}

impl Pack {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), count: 0 }
    }

    /// Adds an object; its name.
    pub(crate) fn add(&mut self, kind: u8, content: &[u8]) -> [u8; 20] {
        self.entry(kind, content.len() as u64, &[], content);
        name(kind, content)
    }

    /// Adds an entry of any kind: `size` is what it says of itself, `base`
    /// what stands before its content. Where it begins.
    pub(crate) fn entry(&mut self, kind: u8, mut size: u64, base: &[u8], content: &[u8]) -> u64 {
        let at = 12 + self.bytes.len() as u64;
        let mut byte = kind << 4 | (size & 15) as u8;
        size >>= 4;
        while size > 0 {
            self.bytes.push(byte | 0x80);
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        self.bytes.push(byte);
        self.bytes.extend_from_slice(base);
        let mut zlib = ZlibEncoder::new(&mut self.bytes, Compression::best());
        zlib.write_all(content).unwrap();
        zlib.finish().unwrap();
        self.count += 1;
        at
    }

    /// The pack with its head and its checksum.
    pub(crate) fn whole(&self) -> Vec<u8> {
        let mut whole = b"PACK\0\0\0\x02".to_vec();
        whole.extend(self.count.to_be_bytes());
        whole.extend_from_slice(&self.bytes);
        let sum = sha1(&whole);
        whole.extend(sum);
        whole
    }
}

/// A commit of a tree; its content.
pub(crate) fn commit_of(tree: [u8; 20]) -> Vec<u8> {
    format!("tree {}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx\n", hex(tree)).into_bytes()
}

/// The name of an object.
pub(crate) fn name(kind: u8, content: &[u8]) -> [u8; 20] {
    let word = match kind {
        COMMIT => "commit",
        TREE => "tree",
        _ => "blob",
    };
    sha1(&[format!("{word} {}\0", content.len()).as_bytes(), content].concat())
}

pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    sha1dc::digest(bytes).unwrap().into()
}

pub(crate) fn hex(name: [u8; 20]) -> String {
    name.iter().map(|byte| format!("{byte:02x}")).collect()
}
