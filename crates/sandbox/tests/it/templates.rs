//! Templates: imports, modules that start threads, ends.

use std::time::Duration;

use sandbox::{Error, Interpreter, Sandbox, Settings, TemplateLimits, TemplateSpec};

use crate::harness::{Bench, interpreters, limits, patience, readable_folder, result};

fn spec_with(packages: &std::path::Path, preload: &[&str]) -> TemplateSpec {
    let mut spec = TemplateSpec::new(interpreters().pop().unwrap());
    spec.packages.push(packages.to_path_buf());
    spec.preload = preload.iter().map(|name| (*name).to_owned()).collect();
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_are_imported_once_and_those_that_cant_be_are_dropped() {
    let packages = readable_folder();
    let write = |name: &str, text: &str| std::fs::write(packages.path().join(name), text).unwrap();
    write("slow.py", "import os\nLOADED_IN = os.getpid()\n");
    write("broken.py", "raise SystemExit('no')\n");
    write(
        "threaded.py",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n",
    );
    write("more.py", "");
    let bench = Bench::with(spec_with(packages.path(), &["slow", "broken", "threaded"])).await;
    let preloaded = bench.template.preloaded();
    assert_eq!(preloaded.loaded, ["slow"]);
    let mut dropped: Vec<_> = preloaded.dropped.iter().map(|(name, _)| name.as_str()).collect();
    dropped.sort_unstable();
    assert_eq!(dropped, ["broken", "threaded"]);
    let handler =
        "import os, slow\ndef calculate(inputs):\n    return slow.LOADED_IN != os.getpid()\n";
    assert_eq!(bench.result(handler).await, "true", "imported in the template, not in the run");

    let again =
        bench.template.preload(&["more".into(), "slow".into(), "broken".into()]).await.unwrap();
    assert_eq!(again.loaded, ["slow", "more"]);
    assert_eq!(again.dropped.len(), 1);
    assert!(bench.template.memory_bytes().unwrap() > 1 << 20);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_started_by_a_later_import_puts_a_fresh_process_in_place() {
    let packages = readable_folder();
    std::fs::write(packages.path().join("threaded.py"), "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n").unwrap();
    let bench = Bench::with(spec_with(packages.path(), &["decimal"])).await;
    let preloaded = bench.template.preload(&["threaded".into(), "fractions".into()]).await.unwrap();
    assert_eq!(preloaded.loaded, ["fractions"]);
    assert_eq!(preloaded.dropped[0].0, "threaded");
    assert_eq!(bench.template.preloaded().loaded, ["decimal", "fractions"]);
    // The run imports it by itself.
    assert_eq!(bench.result("import threaded\ndef calculate(inputs):\n    return 1\n").await, "1");
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_template_lets_assigned_runs_finish() {
    let bench = Bench::new().await;
    let ready = bench.template.prepare().await.unwrap();
    let waiting = bench.template.prepare().await.unwrap();
    let handler = "import time\ndef calculate(inputs):\n    print('up', flush=True)\n    time.sleep(0.3)\n    return 'done'\n";
    let job = sandbox::Job::Calculate { inputs: "{}".into() };
    let mut running =
        ready.assign(sandbox::Assignment::new(job, bench.code(handler), crate::harness::limits()));
    let mut events = running.events().unwrap();
    let stop = async {
        events.next().await.unwrap();
        bench.template.stop().await;
    };
    let (outcome, ()) = tokio::join!(running.outcome(), stop);
    assert_eq!(crate::harness::result(outcome), "\"done\"");
    assert!(!bench.template.is_alive());
    assert!(bench.template.prepare().await.is_err());
    drop(waiting);
    let Bench { sandbox, template, instance, .. } = bench;
    drop(template);
    sandbox.shutdown().await;
    assert!(crate::harness::leftovers(&instance).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_dies_hangs_or_eats_memory_is_told_with_the_cause() {
    let packages = readable_folder();
    let write = |name: &str, text: &str| std::fs::write(packages.path().join(name), text).unwrap();
    write(
        "dies.py",
        "import os, sys\nprint('last words', file=sys.stderr, flush=True)\nos._exit(3)\n",
    );
    write("hangs.py", "while True: pass\n");
    write("eats.py", "x = b'x' * (500 << 20)\n");
    let (sandbox, _) = crate::harness::start_sandbox().await;
    for (module, says) in
        [("dies", "last words"), ("hangs", "longer than allowed"), ("eats", "more memory")]
    {
        let mut spec = spec_with(packages.path(), &[module]);
        spec.limits =
            TemplateLimits { memory_bytes: 100 << 20, start: patience(Duration::from_secs(3)) };
        match sandbox.start_template(spec).await {
            Err(Error::Template { detail, .. }) => {
                assert!(detail.contains(says), "{module}: {detail}")
            }
            other => panic!("{module}: {other:?}"),
        }
    }
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_isnt_an_interpreter_is_refused() {
    assert!(Interpreter::at("/no/such/python".as_ref(), "3.12").is_err());
    assert!(Interpreter::at("/bin/sh".as_ref(), "3.12").is_err());
    let (sandbox, _) = crate::harness::start_sandbox().await;
    let interpreter = Interpreter {
        executable: "/etc/passwd".into(),
        python_version: "3.12".into(),
        library_dirs: Vec::new(),
    };
    assert!(sandbox.start_template(TemplateSpec::new(interpreter)).await.is_err());
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_cant_share_an_instance_name() {
    let (sandbox, instance) = crate::harness::start_sandbox().await;
    let settings =
        Settings { instance, ..Settings::new(env!("CARGO_BIN_EXE_sandbox-launcher").into()) };
    match Sandbox::start(settings).await {
        Err(Error::Unsupported { missing, .. }) => {
            assert!(missing.contains("already uses"), "{missing}")
        }
        other => panic!("{other:?}"),
    }
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_launcher_is_killed_every_sandbox_ends_and_the_next_start_sweeps() {
    let (sandbox, instance) = crate::harness::start_sandbox().await;
    let template =
        sandbox.start_template(TemplateSpec::new(interpreters().pop().unwrap())).await.unwrap();
    let ready = template.prepare().await.unwrap();
    let launcher = rustix::process::Pid::from_raw(sandbox.launcher_pid().unwrap() as i32).unwrap();
    rustix::process::kill_process(launcher, rustix::process::Signal::KILL).unwrap();
    assert!(template.prepare().await.is_err());
    while ready.is_alive() {
        tokio::task::yield_now().await;
    }
    assert!(!sandbox.is_alive());
    assert!(!crate::harness::leftovers(&instance).is_empty());
    let settings = Settings {
        instance: instance.clone(),
        ..Settings::new(env!("CARGO_BIN_EXE_sandbox-launcher").into())
    };
    let next = Sandbox::start(settings).await.unwrap();
    next.shutdown().await;
    assert!(crate::harness::leftovers(&instance).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_template_gives_the_same_runs_on_every_interpreter() {
    // Fills and frees the interpreter's own memory and libc's, more than the
    // template has of either, and looks at what the platform does to objects.
    let churn = "import decimal, gc, json\n\
        def calculate(inputs):\n\
        \x20   for _ in range(3):\n\
        \x20       many = [[str(i), (i, float(i))] for i in range(150000)]\n\
        \x20       large = [bytes(300000 + i) for i in range(40)]\n\
        \x20       del many, large\n\
        \x20       gc.collect()\n\
        \x20   return {'dumps': json.dumps({'a': [1, None]}), 'third': str(decimal.Decimal(1) / 3)[:6],\n\
        \x20           'frozen': gc.get_freeze_count() > 1000, 'garbage': len(gc.garbage), 'cycle': cycle(gc)}\n\
        def cycle(gc):\n\
        \x20   class Node: pass\n\
        \x20   node = Node(); node.self = node; del node\n\
        \x20   return gc.collect() > 0\n";
    for interpreter in interpreters() {
        let version = interpreter.python_version.clone();
        let mut spec = TemplateSpec::new(interpreter);
        spec.preload = ["decimal", "json", "xml.etree.ElementTree"].map(str::to_owned).to_vec();
        let bench = Bench::with(spec).await;
        let before = bench.template.prepare().await.unwrap();
        bench.template.settle().await.unwrap();
        // More can be imported after, and it can settle again.
        bench.template.preload(&["fractions".to_owned()]).await.unwrap();
        bench.template.settle().await.unwrap();
        let after = bench.template.prepare().await.unwrap();
        for ready in [after, before] {
            let outcome = bench.run_on(ready, churn, "{}", limits()).await;
            assert_eq!(
                result(outcome),
                r#"{"dumps":"{\"a\": [1, null]}","third":"0.3333","frozen":true,"garbage":0,"cycle":true}"#,
                "{version}"
            );
        }
        bench.still_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_sees_of_a_modules_objects_is_the_same_once_it_settled() {
    let packages = readable_folder();
    let module = "import weakref\n\
        class Thing:\n    ended = 0\n    def __del__(self):\n        Thing.ended += 1\n\
        thing, kept = Thing(), Thing()\n\
        names = weakref.WeakValueDictionary(kept=kept)\n\
        many = [Thing(), Thing()]\n\
        buffer = bytearray(4)\n";
    std::fs::write(packages.path().join("watched.py"), module).unwrap();
    let handler = "import gc, watched\n\
        def calculate(inputs):\n\
        \x20   watched.thing = watched.kept = watched.many = None\n\
        \x20   gc.collect()\n\
        \x20   watched.buffer.extend(bytes(8))\n\
        \x20   return [watched.Thing.ended, len(watched.names), len(watched.buffer)]\n";
    for interpreter in interpreters() {
        let version = interpreter.python_version.clone();
        let mut spec = TemplateSpec::new(interpreter);
        spec.packages.push(packages.path().to_path_buf());
        spec.preload.push("watched".to_owned());
        let bench = Bench::with(spec).await;
        for settled in [false, true] {
            if settled {
                bench.template.settle().await.unwrap();
            }
            let answer = bench.result(handler).await;
            assert_eq!(answer, "[4,0,12]", "{version}, settled: {settled}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_starts_however_many_files_the_launcher_holds() {
    let bench = Bench::new().await;
    // Each ready run takes a dozen files there, and a template may have 1,024.
    let mut ready = Vec::new();
    for _ in 0..90 {
        ready.push(bench.template.prepare().await.unwrap());
    }
    let interpreter = interpreters().pop().unwrap();
    let second = bench.sandbox.start_template(TemplateSpec::new(interpreter)).await.unwrap();
    drop(second.prepare().await.unwrap());
    drop(ready);
    bench.still_sound().await;
}
