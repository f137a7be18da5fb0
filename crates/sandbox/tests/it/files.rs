//! Files in and out, and what a run may leave that isn't taken.

use std::io::Read;

use sandbox::{Assignment, End, FailureKind, Job, Limits, Outcome, OutputsError};

use crate::harness::{Bench, exception, limits, readable_folder, result};

#[tokio::test(flavor = "multi_thread")]
async fn input_files_are_read_only_and_outputs_become_files_of_the_host() {
    let bench = Bench::new().await;
    let inputs = readable_folder();
    std::fs::write(inputs.path().join("loads.csv"), "1,2,3").unwrap();
    let handler = "import os, pathlib\n\
        def calculate(inputs):\n\
        \x20   text = open(inputs['file']).read()\n\
        \x20   try:\n        open(inputs['file'], 'w')\n    except OSError as error:\n        refused = error.errno\n\
        \x20   out = os.environ['MECAPY_OUTPUTS']\n\
        \x20   os.makedirs(out + '/sub')\n\
        \x20   open(out + '/sub/a.txt', 'w').write(text)\n\
        \x20   open(out + '/b.txt', 'w').write('b')\n\
        \x20   return {'refused': refused, 'plot': out + '/b.txt', 'table': pathlib.Path(out, 'sub/a.txt'), 'other': out + '/b.txt'}\n";
    let job = Job::Calculate { inputs: r#"{"file":"/inputs/loads.csv"}"#.into() };
    let assignment = Assignment {
        input_files: Some(inputs.path().into()),
        ..Assignment::new(job, bench.code(handler), limits())
    };
    let outcome = bench.template.prepare().await.unwrap().assign(assignment).outcome().await;
    let End::Result { json, .. } = &outcome.end else { panic!("{outcome:?}") };
    assert_eq!(
        String::from_utf8_lossy(json),
        r#"{"refused":30,"plot":"/outputs/b.txt","table":"/outputs/sub/a.txt","other":"/outputs/b.txt"}"#
    );
    let listed: Vec<_> =
        outcome.outputs.list().unwrap().into_iter().map(|f| (f.name, f.bytes)).collect();
    assert_eq!(listed, [("b.txt".to_owned(), 1), ("sub/a.txt".to_owned(), 5)]);
    let mut text = String::new();
    outcome.outputs.open("sub/a.txt").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "1,2,3");
    drop(outcome);
    bench.still_sound().await;
}

async fn leave(bench: &Bench, statements: &str, limits: Limits) -> Outcome {
    let handler = format!(
        "import os\nos.chdir('/outputs')\ndef calculate(inputs):\n{statements}    return 1\n"
    );
    let outcome = bench.run_within(&handler, "{}", limits).await;
    assert!(matches!(outcome.end, End::Result { .. }), "{outcome:?}");
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn links_folders_and_floods_are_never_taken_for_files() {
    let bench = Bench::new().await;
    let few = Limits { artifact_count: 10, artifact_bytes: 1000, ..limits() };
    let outcome = leave(&bench, "    os.symlink('/etc/passwd', 'x')\n", few.clone()).await;
    assert!(matches!(outcome.outputs.list(), Err(OutputsError::Link { .. })));
    assert!(outcome.outputs.open("x").is_err());
    drop(outcome);
    let second = "    open('x', 'w').close(); os.link('x', 'y')\n";
    let outcome = leave(&bench, second, few.clone()).await;
    assert!(matches!(outcome.outputs.list(), Err(OutputsError::HardLink { .. })));
    assert!(outcome.outputs.open("x").is_err());
    drop(outcome);
    let outcome = leave(
        &bench,
        "    os.mkdir('d'); os.symlink('/', 'd/up'); open('f', 'w').close()\n",
        few.clone(),
    )
    .await;
    for name in ["d", "d/up/etc/hostname", "../tmp", "/etc/passwd", "f/../f", "d/../../tmp"] {
        let opened = outcome.outputs.open(name);
        assert!(opened.is_err() || name == "f/../f", "{name}: {opened:?}");
    }
    drop(outcome);
    let outcome =
        leave(&bench, "    for i in range(11): open(str(i), 'w').close()\n", few.clone()).await;
    assert!(matches!(outcome.outputs.list(), Err(OutputsError::TooMany { limit: 10 })));
    drop(outcome);
    let outcome = leave(
        &bench,
        "    os.truncate(os.open('sparse', os.O_CREAT | os.O_RDWR), 1 << 40)\n",
        few.clone(),
    )
    .await;
    assert!(matches!(outcome.outputs.list(), Err(OutputsError::TooLarge { limit: 1000, .. })));
    drop(outcome);
    let deep = Limits { artifact_count: 100_000, ..few };
    let outcome =
        leave(&bench, "    for _ in range(1500):\n        os.mkdir('d'); os.chdir('d')\n", deep)
            .await;
    assert!(matches!(outcome.outputs.list(), Err(OutputsError::TooDeep { limit: 32 })));
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fifo_or_device_cant_be_made() {
    let bench = Bench::new().await;
    for statement in ["os.mkfifo('/outputs/x')", "os.mknod('/outputs/x', 0o20666, 259)"] {
        let outcome =
            bench.run(&format!("import os\ndef calculate(inputs):\n    {statement}\n"), "{}").await;
        assert_eq!(exception(&outcome).0, "PermissionError");
    }
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_private_space_is_bounded_in_bytes_and_files() {
    let bench = Bench::new().await;
    let full = "def calculate(inputs):\n    with open('/tmp/x', 'wb') as f:\n        for _ in range(100):\n            f.write(b'x' * (1 << 20))\n";
    let outcome = bench.run(full, "{}").await;
    assert_eq!(exception(&outcome), ("OSError", "[Errno 28] No space left on device"));
    drop(outcome);
    let flood = "def calculate(inputs):\n    for i in range(3000):\n        open('/tmp/%d' % i, 'w').close()\n";
    assert_eq!(exception(&bench.run(flood, "{}").await).0, "OSError");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_private_space_can_be_written() {
    let bench = Bench::new().await;
    let handler = "import os, sys, json\n\
        def calculate(inputs):\n\
        \x20   written = []\n\
        \x20   for folder in ['/', '/code', '/etc', '/dev', '/runner', '/packages', '/usr/lib', os.path.dirname(json.__file__), sys.prefix, '/proc', '/proc/sys/kernel', '/sys', '/scratch', '/root', '/home']:\n\
        \x20       try:\n            open(folder + '/x', 'w').close()\n            written.append(folder)\n        except OSError:\n            pass\n\
        \x20   return written\n";
    assert_eq!(bench.result(handler).await, "[]");
    let big = Limits { memory_bytes: 64 << 20, ..limits() };
    let outcome = bench.run_within("def calculate(inputs):\n    return 1\n", "{}", big).await;
    assert!(!matches!(outcome.end, End::Failed(ref f) if matches!(f.kind, FailureKind::Internal)));
    assert_eq!(result(outcome), "1");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_a_file_works_without_locks() {
    let bench = Bench::new().await;
    let handler = "import sqlite3\n\
        def calculate(inputs):\n\
        \x20   counts = []\n\
        \x20   for name in ('file:/tmp/work.db?nolock=1', ':memory:'):\n\
        \x20       base = sqlite3.connect(name, uri=True)\n\
        \x20       base.execute('create table t (n)')\n\
        \x20       base.execute('insert into t values (1)')\n\
        \x20       base.commit()\n\
        \x20       counts += base.execute('select count(*) from t').fetchone()\n\
        \x20   return counts\n";
    assert_eq!(bench.result(handler).await, "[1,1]");
    bench.still_sound().await;
}
