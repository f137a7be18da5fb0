//! Runs that end otherwise than by returning: each its own typed verdict.

use std::time::Duration;

use sandbox::{Assignment, End, FailureKind, Job, Limits, Reason};

use crate::harness::{Bench, exception, failure, limits, patience};

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_ends_even_a_busy_c_loop_that_holds_the_lock() {
    let bench = Bench::new().await;
    let limits = Limits { wall: Duration::from_millis(400), ..limits() };
    // One single call into C that never gives the interpreter lock back.
    let handler = "import itertools\ndef calculate(inputs):\n    return sum(itertools.repeat(1))\n";
    let outcome = bench.run_within(handler, "{}", limits).await;
    let FailureKind::Timeout { limit, measured } = failure(&outcome).kind else {
        panic!("{outcome:?}")
    };
    assert_eq!(limit, Duration::from_millis(400));
    assert!(measured >= limit && measured < patience(Duration::from_secs(10)), "{measured:?}");
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ignoring_signals_and_stopping_itself_delays_no_deadline() {
    let bench = Bench::new().await;
    let handler = "import os, signal, time\ndef calculate(inputs):\n    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):\n        signal.signal(s, signal.SIG_IGN)\n    os.kill(os.getpid(), signal.SIGSTOP)\n    while True:\n        time.sleep(1)\n";
    let limits = Limits { wall: Duration::from_millis(300), ..limits() };
    let outcome = bench.run_within(handler, "{}", limits).await;
    assert!(matches!(failure(&outcome).kind, FailureKind::Timeout { .. }), "{outcome:?}");
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segmentation_fault_is_told_with_its_signal() {
    let bench = Bench::new().await;
    let handler = "import ctypes\ndef calculate(inputs):\n    ctypes.string_at(8)\n";
    let outcome = bench.run(handler, "{}").await;
    assert_eq!(failure(&outcome).kind, FailureKind::Killed { signal: 11 });
    drop(outcome);
    let handler = "def calculate(inputs):\n    return eval('-' * 200 + '(' * 0 + '1') if False else deep(0)\ndef deep(n):\n    import sys\n    sys.setrecursionlimit(10**9)\n    return [deep(n + 1)][0]\n";
    let outcome = bench.run(handler, "{}").await;
    let kind = &failure(&outcome).kind;
    let died = matches!(kind, FailureKind::Killed { signal: 11 } | FailureKind::OutOfMemory { .. });
    // Some interpreters notice the end of the stack themselves.
    assert!(died || matches!(kind, FailureKind::UserError { .. }), "{outcome:?}");
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_without_a_result_is_invalid_output() {
    let bench = Bench::new().await;
    let outcome = bench.run("import os\ndef calculate(inputs):\n    os._exit(0)\n", "{}").await;
    assert_eq!(failure(&outcome).kind, FailureKind::InvalidOutput);
    assert!(failure(&outcome).message.contains("exit code 0"), "{outcome:?}");
    drop(outcome);
    let outcome =
        bench.run("import sys\ndef calculate(inputs):\n    sys.exit('done')\n", "{}").await;
    assert_eq!(exception(&outcome).0, "SystemExit");
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_that_cant_be_printed_is_still_told() {
    let bench = Bench::new().await;
    let handler = "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\ndef calculate(inputs):\n    raise Odd\n";
    let outcome = bench.run(handler, "{}").await;
    assert_eq!(exception(&outcome), ("Odd", "<its __str__ raised RuntimeError>"));
    drop(outcome);
    let outcome = bench.run("def calculate(inputs):\n    return calculate(inputs)\n", "{}").await;
    assert_eq!(exception(&outcome).0, "RecursionError");
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_is_cut_and_does_not_stop_the_result() {
    let bench = Bench::new().await;
    let handler = "import sys\ndef calculate(inputs):\n    for _ in range(300):\n        sys.stdout.write('x' * 100000)\n    return 'done'\n";
    let ready = bench.template.prepare().await.unwrap();
    let assignment =
        Assignment::new(Job::Calculate { inputs: "{}".into() }, bench.code(handler), limits());
    let outcome = ready.assign(assignment).outcome().await;
    assert!(
        matches!(&outcome.end, End::Result { json, .. } if &json[..] == b"\"done\""),
        "{outcome:?}"
    );
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_100_mb_arrives_and_one_past_the_limit_is_refused() {
    let bench = Bench::new().await;
    let handler = "def calculate(inputs):\n    return 'x' * 100_000_000\n";
    let wide = Limits { memory_bytes: 1 << 30, ..limits() };
    let outcome = bench.run_within(handler, "{}", wide.clone()).await;
    assert!(
        matches!(&outcome.end, End::Result { json, .. } if json.len() == 100_000_002),
        "{:?}",
        outcome.measured
    );
    drop(outcome);
    let narrow = Limits { result_bytes: 1 << 20, ..wide };
    let outcome = bench.run_within(handler, "{}", narrow).await;
    let FailureKind::OutputTooLarge { limit, measured } = failure(&outcome).kind else {
        panic!("{outcome:?}")
    };
    assert_eq!(limit, 1 << 20);
    assert!(measured > limit);
    drop(outcome);
    bench.still_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_can_be_cancelled_and_dropped_at_any_time() {
    let bench = Bench::new().await;
    let handler =
        "import time\ndef calculate(inputs):\n    print('up', flush=True)\n    time.sleep(60)\n";
    let start = async || {
        let ready = bench.template.prepare().await.unwrap();
        ready.assign(Assignment::new(
            Job::Calculate { inputs: "{}".into() },
            bench.code(handler),
            limits(),
        ))
    };
    let mut running = start().await;
    let (killer, mut events) = (running.killer(), running.events().unwrap());
    let watch = async {
        events.next().await.unwrap();
        killer.kill(Reason::Cancelled);
        killer.kill(Reason::Abandoned);
    };
    let (outcome, ()) = tokio::join!(running.outcome(), watch);
    assert_eq!(failure(&outcome).kind, FailureKind::Cancelled);
    drop(outcome);
    let running = start().await;
    running.killer().kill(Reason::Abandoned);
    let outcome = running.outcome().await;
    assert_eq!(failure(&outcome).kind, FailureKind::Internal);
    drop(outcome);
    drop(start().await);
    bench.still_sound().await;
}
