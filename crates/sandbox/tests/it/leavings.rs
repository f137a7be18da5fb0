//! What a package leaves in its template, from which all its runs come.

use sandbox::{Error, TemplateSpec};

use crate::harness::{Bench, interpreters, readable_folder};

/// A template of the newest interpreter with this one module in it.
fn with_module(folder: &std::path::Path, text: &str) -> TemplateSpec {
    std::fs::write(folder.join("package.py"), text).unwrap();
    let mut spec = TemplateSpec::new(interpreters().pop().unwrap());
    spec.packages.push(folder.to_path_buf());
    spec.preload.push("package".to_owned());
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_leaves_what_runs_would_share_is_not_kept_warm() {
    for (text, reason) in [
        ("import os, time\nif os.fork() == 0:\n    time.sleep(600)\n", "process"),
        ("import mmap\nBOARD = mmap.mmap(-1, 4096)\n", "shared memory"),
        (
            "import mmap, tempfile\nfile = tempfile.TemporaryFile()\nfile.truncate(4096)\n\
             BOARD = mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_READ)\n",
            "shared memory",
        ),
    ] {
        let packages = readable_folder();
        let bench = Bench::with(with_module(packages.path(), text)).await;
        let dropped = bench.template.preloaded().dropped;
        assert_eq!(dropped.len(), 1, "{text}");
        assert!(dropped[0].1.contains(reason), "{dropped:?}");
        // The run has it to itself.
        let handler = "import package\ndef calculate(inputs):\n    return 'own'\n";
        assert_eq!(bench.result(handler).await, "\"own\"");
        bench.still_sound().await;
    }
}

/// Hooks of a fork run outside of what the template looks at: what they do is
/// seen from outside only.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_more_than_its_own_is_refused() {
    for (hook, reason) in [
        (
            "import mmap\nboards = []\nos.register_at_fork(before=lambda: boards.append(mmap.mmap(-1, 4096)))\n",
            "shares memory",
        ),
        (
            "import mmap\nboards = []\ndef hidden():\n\
             \x20   file = os.memfd_create('board')\n    os.ftruncate(file, 4096)\n\
             \x20   boards.append(mmap.mmap(file, 4096, prot=mmap.PROT_READ))\n    os.close(file)\n\
             os.register_at_fork(before=hidden)\n",
            "shares memory",
        ),
        ("os.register_at_fork(after_in_child=lambda: os.pipe())\n", "files 0, 1, 2, 3, 4, 5, 6"),
        ("os.register_at_fork(after_in_child=lambda: os.dup2(1, 0))\n", "open files are not those"),
        ("os.register_at_fork(after_in_child=lambda: os.dup2(1, 2))\n", "open files are not those"),
        ("os.register_at_fork(after_in_child=lambda: os.close(2))\n", "files 0, 1, 3, 4"),
        (
            "import ctypes, time\nfork = ctypes.CDLL(None).fork\n\
             os.register_at_fork(before=lambda: fork() == 0 and time.sleep(600))\n",
            "left behind by an import",
        ),
        (
            "import threading, time\nos.register_at_fork(after_in_parent=lambda: threading.Thread(target=time.sleep, args=(600,), daemon=True).start())\n",
            "left behind by an import",
        ),
    ] {
        let packages = readable_folder();
        let bench = Bench::with(with_module(packages.path(), &format!("import os\n{hook}"))).await;
        assert_eq!(bench.template.preloaded().loaded, ["package"], "{hook}");
        // The thread is there from the second fork on.
        let mut refused = bench.template.prepare().await.err();
        if refused.is_none() {
            refused = bench.template.prepare().await.err();
        }
        match refused {
            Some(Error::Unfit(detail)) => assert!(detail.contains(reason), "{hook}: {detail}"),
            other => panic!("{hook}: {other:?}"),
        }
        let leftovers = bench.end().await;
        assert_eq!(leftovers, Vec::<String>::new(), "{hook}");
    }
}
