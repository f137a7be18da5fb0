//! What the operator decides, as far as callers notice it.

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, echo, execute, says, server, server_with};

#[test]
fn a_developers_server_may_ask_for_no_token() {
    let running =
        server_with(&[("ENVIRONMENT", "development"), ("TOKEN_VERIFICATION_ENABLED", "false")]);
    let nobody = running.client.with_token(None);
    let companies = nobody.get("/companies").expect(200).json();
    assert_eq!(companies["items"][0]["name"], "main", "{companies}");
    says(&running.server, "TOKEN_VERIFICATION_ENABLED=false");
    assert_eq!(running.client.with_token(Some("other")).get("/companies").status, 401);
}

#[test]
fn functions_that_name_no_attempts_get_the_operators() {
    let running = server_with(&[("MECAPY_MAX_ATTEMPTS", "5")]);
    deploy(&running.client, &echo());
    let own = Archive::new("own", "def calculate(inputs):\n    return inputs\n")
        .set("runtime.retry", json!({ "max_attempts": 2 }));
    deploy(&running.client, &own);
    let attempts = |name: &str| {
        let function = running.client.get(&format!("/functions/{name}")).expect(200).json();
        function["runtime"]["max_attempts"].clone()
    };
    assert_eq!((attempts("echo"), attempts("own")), (json!(5), json!(2)));
}

#[test]
fn a_tenant_sees_which_workers_there_are_and_not_how_busy_others_keep_them() {
    let running = server();
    let made = running.client.post("/companies", &json!({ "name": "acme" })).expect(201).json();
    let tenant = running.client.with_token(made["admin_token"]["secret"].as_str());
    let whole = &running.client.get("/workers").expect(200).json()["items"][0];
    for field in ["host", "started_at", "slots", "free", "warm_starts", "cold_starts"] {
        assert!(!whole[field].is_null(), "{field}: {whole:#}");
    }
    let seen = tenant.get("/workers").expect(200).json();
    let expected = json!({
        "worker_id": whole["worker_id"], "draining": false, "host": null, "started_at": null,
        "slots": null, "free": null, "templates": [], "warm_starts": null, "cold_starts": null,
    });
    assert_eq!(seen["items"], json!([expected]));
    assert!(running.client.get("/queue").expect(200).json()["warm"].is_u64());
    let queue = tenant.get("/queue").expect(200).json();
    let expected =
        json!({ "waiting": 0, "running": 0, "classes": [], "companies": [], "warm": null });
    assert_eq!(queue, expected);
}

#[test]
fn a_token_that_may_only_run_gets_the_result_it_waits_for_and_reads_no_other() {
    let running = server();
    deploy(&running.client, &echo());
    let narrow = json!({ "name": "runs", "scopes": ["run"] });
    let narrow = running.client.post("/tokens", &narrow).expect(201).json();
    let narrow = running.client.with_token(narrow["secret"].as_str());
    let task = execute(&narrow, "echo", &json!({ "x": 1 })).expect(200).json();
    assert_eq!(task["result"], json!({ "x": 1 }), "{task:#}");
    let path = format!("/tasks/{}", task["task_id"].as_str().unwrap());
    for path in [path.clone(), format!("{path}/result"), "/tasks".to_owned()] {
        let refused = narrow.get(&path).expect(403).json();
        assert_eq!(refused["code"], "out_of_scope", "{path}");
        let detail = "This needs a token with the scope `read`. Make one that has it.";
        assert_eq!(refused["detail"], detail);
    }
}
