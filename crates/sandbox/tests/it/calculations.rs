//! Handlers that behave: every interpreter, exact numbers, logs, progress, files.

use sandbox::TemplateSpec;

use crate::harness::{Bench, interpreters};

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
