//! Files in and out of a run.

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, run, server};

const HANDLER: &str = "
import pathlib
from mecapy_runtime import outputs

def calculate(inputs):
    table = pathlib.Path(inputs['table']).read_text()
    total = sum(float(line) for line in table.split())
    report = outputs() / 'report.csv'
    report.write_text('total,%r' % total)
    (outputs() / 'more').mkdir()
    (outputs() / 'more' / 'notes.txt').write_text('seen')
    return {'total': total, 'report': str(report)}
";

fn archive() -> Archive {
    Archive::new("sum-file", HANDLER)
        .inputs_schema(json!({
            "type": "object",
            "properties": { "table": { "type": "string", "format": "file" } },
            "required": ["table"],
        }))
        .set(
            "io.outputs_schema",
            json!({
                "type": "object",
                "properties": { "report": { "type": "string", "format": "file" } },
            }),
        )
}

#[test]
fn a_file_goes_in_and_files_come_out() {
    let running = server();
    deploy(&running.client, &archive());
    let file = running.client.post_file("/files", "file", "table.txt", b"1 2\n3.5").json();
    let task = run(&running.client, "sum-file", &json!({ "table": file["ref"] }));
    assert_eq!(task["status"], "completed", "{task:#}");
    assert_eq!(task["result"]["total"], 6.5);
    let reference = task["result"]["report"].as_str().unwrap();
    let report = running.client.get(&format!("/files/{reference}")).expect(200);
    assert_eq!(report.text(), "total,6.5");
    let path = format!("/tasks/{}/artifacts", task["task_id"].as_str().unwrap());
    let artifacts = running.client.get(&path).expect(200).json();
    let names: Vec<_> =
        artifacts["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["more/notes.txt", "report.csv"]);
}

#[test]
fn an_artifact_is_an_input_of_the_next_function() {
    let running = server();
    deploy(&running.client, &archive());
    let writer = Archive::new(
        "writer",
        "from mecapy_runtime import outputs\n\ndef calculate(inputs):\n    path = outputs() / 'n.txt'\n    path.write_text('4 5')\n    return {'file': path}\n",
    )
    .set(
        "io.outputs_schema",
        json!({ "type": "object", "properties": { "file": { "type": "string", "format": "file" } } }),
    );
    deploy(&running.client, &writer);
    let made = run(&running.client, "writer", &json!({}))["result"]["file"].clone();
    let task = run(&running.client, "sum-file", &json!({ "table": made }));
    assert_eq!(task["result"]["total"], 9.0, "{task:#}");
}

#[test]
fn an_unknown_file_is_refused_before_the_run() {
    let running = server();
    deploy(&running.client, &archive());
    let refused = super::execute(&running.client, "sum-file", &json!({ "table": "nothing" }));
    let body = refused.expect(422).json();
    assert_eq!(body["faults"][0]["key"], "/table");
    assert_eq!(body["faults"][0]["code"], "file_unknown");
}
