//! Handlers that behave: every interpreter, exact numbers, logs, progress.

use sandbox::{Assignment, End, Event, Job, Limits, Stream, TemplateSpec};

use crate::harness::{Bench, exception, interpreters, limits, result};

#[tokio::test(flavor = "multi_thread")]
async fn a_calculation_gives_its_result_on_every_interpreter() {
    for interpreter in interpreters() {
        let version = interpreter.python_version.clone();
        let bench = Bench::with(TemplateSpec::new(interpreter)).await;
        let answer = bench.result("import sys\ndef calculate(inputs):\n    return {'v': '%d.%d' % sys.version_info[:2]}\n");
        assert_eq!(answer.await, format!(r#"{{"v":"{version}"}}"#));
        bench.still_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_go_in_and_come_out_bit_for_bit() {
    let bench = Bench::new().await;
    let inputs = r#"{"a":0.1,"b":5e-324,"c":-0.0,"d":123456789012345678901234567890,"e":1.7976931348623157e308,"f":[true,null,"é\u0000"]}"#;
    let echoed = result(bench.run("def calculate(inputs):\n    return inputs\n", inputs).await);
    assert_eq!(echoed, inputs.replace("1.7976931348623157e308", "1.7976931348623157e+308"));
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn non_finite_numbers_become_strings_with_their_places() {
    let bench = Bench::new().await;
    let outcome = bench
        .run(
            "def calculate(inputs):\n    return {'x': [1.0, float('nan')], 'y': -float('inf')}\n",
            "{}",
        )
        .await;
    let End::Result { json, non_finite, .. } = outcome.end else { panic!("{outcome:?}") };
    assert_eq!(&json[..], br#"{"x":[1.0,"NaN"],"y":"-Infinity"}"#);
    assert_eq!(non_finite, ["/x/1", "/y"]);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_longer_than_a_packet_arrive_whole() {
    let bench = Bench::new().await;
    let text = "x".repeat(3 << 20);
    let inputs = format!(r#"{{"text":"{text}"}}"#);
    let answer =
        bench.run("def calculate(inputs):\n    return {'n': len(inputs['text'])}\n", &inputs);
    assert_eq!(result(answer.await), format!(r#"{{"n":{}}}"#, text.len()));
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_progress_stream_and_what_is_cut_is_counted() {
    let bench = Bench::new().await;
    let handler = "import sys, mecapy_runtime as mecapy\ndef calculate(inputs):\n    print('to out')\n    print('to err', file=sys.stderr)\n    mecapy.progress(2, 5, 'half')\n    print('y' * 100)\n    return {}\n";
    let ready = bench.template.prepare().await.unwrap();
    let limits = Limits { log_bytes: 30, ..limits() };
    let mut running = ready.assign(Assignment::new(
        Job::Calculate { inputs: "{}".into() },
        bench.code(handler),
        limits,
    ));
    let mut events = running.events().unwrap();
    assert!(running.events().is_none());
    result(running.outcome().await);
    let (mut out, mut err, mut cut, mut progress) = (Vec::new(), Vec::new(), 0, None);
    while let Some(event) = events.next().await {
        match event {
            Event::Log { stream: Stream::Out, bytes } => out.extend(bytes),
            Event::Log { stream: Stream::Err, bytes } => err.extend(bytes),
            Event::Cut { bytes } => cut = bytes,
            Event::Progress { step, total, message } => progress = Some((step, total, message)),
            other => panic!("no event of a calculation: {other:?}"),
        }
    }
    assert_eq!(out.len() + err.len(), 30);
    assert!(out.starts_with(b"to out\n"));
    assert_eq!(cut, 7 + 7 + 101 - 30);
    assert_eq!(progress, Some((2.0, Some(5.0), Some("half".into()))));
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_keeps_its_name_its_message_and_the_users_frames_only() {
    let bench = Bench::new().await;
    let outcome =
        bench.run("def calculate(inputs):\n    return 1 / inputs['zero']\n", r#"{"zero":0}"#).await;
    assert_eq!(exception(&outcome), ("ZeroDivisionError", "division by zero"));
    let End::Failed(failure) = &outcome.end else { panic!() };
    let traceback = failure.traceback.clone().unwrap();
    assert!(traceback.contains("/code/handler.py\", line 2, in calculate"), "{traceback}");
    assert!(!traceback.contains("/runner/"), "{traceback}");
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_cant_be_called_says_what_to_change() {
    let bench = Bench::new().await;
    for (handler, says) in [
        ("x = 1\n", "defines no function `calculate`"),
        ("class calculate:\n    pass\n", "is a class"),
        ("calculate = 5\n", "is a int"),
        ("async def calculate(inputs):\n    return {}\n", "`async def`"),
        ("def calculate(inputs):\n    yield 1\n", "returned a generator"),
        ("def calculate():\n    return {}\n", "exactly one positional argument"),
        ("def calculate(a, b):\n    return {}\n", "exactly one positional argument"),
        ("def calculate(a, *, b):\n    return {}\n", "exactly one positional argument"),
    ] {
        let outcome = bench.run(handler, "{}").await;
        let (name, message) = exception(&outcome);
        assert_eq!(name, "HandlerError", "{message}");
        assert!(message.contains(says), "{message}");
    }
    for handler in [
        "def calculate(a, b=1):\n    return {}\n",
        "def calculate(*a):\n    return {}\n",
        "import functools\ncalculate = functools.partial(dict)\n",
    ] {
        assert_eq!(result(bench.run(handler, "{}").await), "{}");
    }
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_without_encoding_is_named_by_its_place() {
    let bench = Bench::new().await;
    let outcome =
        bench.run("def calculate(inputs):\n    return {'a': [1, object()]}\n", "{}").await;
    let End::Failed(failure) = &outcome.end else { panic!("{outcome:?}") };
    let pointer = "/a/1".to_owned();
    assert_eq!(failure.kind, sandbox::FailureKind::Unencodable { pointer });
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_share_neither_globals_nor_randomness_nor_temporary_files() {
    let bench = Bench::new().await;
    let handler = "import json, os, random, ssl, tempfile, uuid\n\
        def calculate(inputs):\n\
        \x20   fresh = not hasattr(json, 'mark') and not os.path.exists('/tmp/mark')\n\
        \x20   json.mark = True\n\
        \x20   open('/tmp/mark', 'w').close()\n\
        \x20   return {'fresh': fresh, 'random': [random.random(), os.urandom(8).hex(), str(uuid.uuid4()), ssl.RAND_bytes(8).hex(), next(tempfile._get_candidate_names())]}\n";
    let first = bench.result(handler).await;
    let second = bench.result(handler).await;
    assert!(
        first.starts_with(r#"{"fresh":true"#) && second.starts_with(r#"{"fresh":true"#),
        "{second}"
    );
    let random = |text: &str| {
        text.split('[').nth(1).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    for (a, b) in random(&first).iter().zip(random(&second)) {
        assert_ne!(*a, b);
    }
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_just_its_five_files_and_the_listed_environment() {
    let bench = Bench::new().await;
    let handler = "import os\ndef calculate(inputs):\n    fds = sorted(int(f) for f in os.listdir('/proc/self/fd'))\n    return {'fds': fds[:5], 'more': len(fds) - 6, 'env': sorted(os.environ), 'ids': [os.getuid(), os.getgid(), os.getpid()]}\n";
    let limits = Limits { cpu_cores: 1.0, ..limits() };
    let outcome = bench.run_within(handler, "{}", limits).await;
    assert_eq!(
        result(outcome),
        r#"{"fds":[0,1,2,3,4],"more":0,"env":["HOME","LANG","LD_BIND_NOW","MECAPY_OUTPUTS","MKL_NUM_THREADS","MPLBACKEND","MPLCONFIGDIR","NUMEXPR_NUM_THREADS","OMP_NUM_THREADS","OPENBLAS_NUM_THREADS","OPENBLAS_THREAD_TIMEOUT","PATH","TMPDIR"],"ids":[1000,1000,1]}"#
    );
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_asyncio_and_child_processes_work_inside_a_run() {
    let bench = Bench::new().await;
    let handler = "import asyncio, os, threading\n\
        async def later():\n    await asyncio.sleep(0)\n    return 'async'\n\
        def calculate(inputs):\n\
        \x20   said = []\n\
        \x20   thread = threading.Thread(target=lambda: said.append('thread'))\n\
        \x20   thread.start()\n    thread.join()\n\
        \x20   said.append(asyncio.run(later()))\n\
        \x20   pid = os.fork()\n\
        \x20   if pid == 0:\n        os._exit(7)\n\
        \x20   said.append(os.waitpid(pid, 0)[1] >> 8)\n\
        \x20   return said\n";
    assert_eq!(bench.result(handler).await, r#"["thread","async",7]"#);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_took_is_measured_by_the_kernel() {
    let bench = Bench::new().await;
    let handler = "import time\ndef calculate(inputs):\n    block = bytearray(40 << 20)\n    end = time.process_time() + 0.2\n    while time.process_time() < end:\n        pass\n    return len(block)\n";
    let outcome = bench.run(handler, "{}").await;
    let measured = outcome.measured;
    result(outcome);
    assert!(measured.cpu.as_millis() >= 190, "{measured:?}");
    assert!(measured.wall >= measured.cpu && measured.startup < measured.wall, "{measured:?}");
    assert!((40 << 20..120 << 20).contains(&measured.peak_memory_bytes), "{measured:?}");
    bench.still_sound().await;
}
