//! What the operator decides, as far as callers notice it.

use serde_json::json;
use test_support::archive::Archive;

use super::{deploy, echo, says, server_with};

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
