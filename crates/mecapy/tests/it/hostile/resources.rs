//! Runs that take more than they may have.

use serde_json::{Value, json};

use super::{Fortress, arsenal};

fn under_attack() -> Fortress {
    let fortress = Fortress::new();
    fortress.deploy(&arsenal("resources", include_str!("handlers/resources.py")));
    fortress
}

fn attack(name: &str) -> Value {
    json!({ "attack": name })
}

#[test]
fn a_fork_bomb_meets_its_limit() {
    let fortress = under_attack();
    let result = fortress.result("resources", &attack("fork_bomb"));
    assert_eq!(result["error"], 11, "EAGAIN");
    assert!(result["made"].as_u64().unwrap() <= 128, "{result}");
}
