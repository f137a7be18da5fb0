//! Numbers go in and come out bit for bit.

use serde_json::Value;

use super::{deploy, echo, server};

/// A generator of well-spread numbers (SplitMix64), so that a failure can be
/// repeated from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A finite float with any bit pattern.
    fn float(&mut self) -> f64 {
        loop {
            let float = f64::from_bits(self.next());
            if float.is_finite() {
                return float;
            }
        }
    }

    /// An integer of up to 400 digits.
    fn integer(&mut self) -> String {
        let digits = 1 + self.next() % 400;
        let mut text: String =
            (0..digits).map(|_| char::from(b'0' + (self.next() % 10) as u8)).collect();
        text = text.trim_start_matches('0').to_owned();
        let sign = if self.next().is_multiple_of(2) { "-" } else { "" };
        if text.is_empty() { "0".to_owned() } else { format!("{sign}{text}") }
    }

    /// A value nested up to `depth`, as JSON text, and the leaves in order.
    fn nested(&mut self, depth: u32, leaves: &mut Vec<Leaf>) -> String {
        match self.next() % if depth == 0 { 2 } else { 4 } {
            0 => {
                let float = self.float();
                leaves.push(Leaf::Float(float));
                format!("{float:?}")
            }
            1 => {
                let integer = self.integer();
                leaves.push(Leaf::Integer(integer.clone()));
                integer
            }
            2 => {
                let items: Vec<_> =
                    (0..=self.next() % 3).map(|_| self.nested(depth - 1, leaves)).collect();
                format!("[{}]", items.join(", "))
            }
            _ => {
                let members: Vec<_> = (0..=self.next() % 3)
                    .map(|i| format!("\"k{i}\": {}", self.nested(depth - 1, leaves)))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }
}

#[derive(Debug, PartialEq)]
enum Leaf {
    Float(f64),
    Integer(String),
}

fn leaves(value: &Value, found: &mut Vec<Leaf>) {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            found.push(if text.bytes().all(|b| b == b'-' || b.is_ascii_digit()) {
                Leaf::Integer(text)
            } else {
                Leaf::Float(text.parse().unwrap())
            });
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, found)),
        other => panic!("a number became {other}"),
    }
}

fn same(sent: &Leaf, came: &Leaf) -> bool {
    match (sent, came) {
        (Leaf::Float(a), Leaf::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

#[test]
fn every_float_and_integer_survives_in_any_nesting() {
    let running = server();
    deploy(&running.client, &echo());
    let special = [
        0.0,
        -0.0,
        5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        f64::EPSILON,
        0.1,
        1.0 / 3.0,
        9_007_199_254_740_993.0,
        1e22,
        1e23,
    ];
    let mut random = Random(2026);
    for round in 0..40 {
        let mut sent: Vec<_> = special.iter().map(|&float| Leaf::Float(float)).collect();
        let mut texts: Vec<_> = special.iter().map(|float| format!("{float:?}")).collect();
        for _ in 0..200 {
            texts.push(random.nested(4, &mut sent));
        }
        let inputs = format!("{{\"inputs\": {{\"values\": [{}]}}}}", texts.join(", "));
        let answer =
            running.client.post_text("/functions/echo/execute?wait=60", &inputs).expect(200);
        let task = answer.json();
        let result = match task["result_url"].as_str() {
            Some(url) if task["result"].is_null() => running.client.get(url).expect(200).json(),
            _ => task["result"].clone(),
        };
        let mut came = Vec::new();
        leaves(&result["values"], &mut came);
        assert_eq!(sent.len(), came.len(), "round {round}");
        for (sent, came) in sent.iter().zip(&came) {
            assert!(same(sent, came), "round {round}: {sent:?} came out as {came:?}");
        }
    }
}

#[test]
fn a_decimal_is_rounded_as_python_rounds_it() {
    let running = server();
    deploy(&running.client, &echo());
    let texts =
        ["0.1000000000000000055511151231257827", "123456789012345678.9", "2.5e-323", "1e5", "1E5"];
    let body = format!("{{\"inputs\": {{\"values\": [{}]}}}}", texts.join(", "));
    let task =
        running.client.post_text("/functions/echo/execute?wait=60", &body).expect(200).json();
    for (text, came) in texts.iter().zip(task["result"]["values"].as_array().unwrap()) {
        let expected: f64 = text.parse().unwrap();
        assert_eq!(
            came.to_string().parse::<f64>().unwrap().to_bits(),
            expected.to_bits(),
            "{text}"
        );
    }
}

#[test]
fn a_decimal_beyond_float64_is_refused_with_its_place() {
    let running = server();
    deploy(&running.client, &echo());
    let refused = running
        .client
        .post_text("/functions/echo/execute", r#"{"inputs": {"a": [1, 1e999]}}"#)
        .expect(422)
        .json();
    assert_eq!(refused["faults"][0]["key"], "/a/1", "{refused:#}");
}

#[test]
fn non_finite_numbers_are_strings_that_the_task_lists() {
    let running = server();
    let archive = test_support::archive::Archive::new(
        "nan",
        "def calculate(inputs):\n    return {'a': [1.0, float('nan')], 'b': float('-inf'), 'c': 'NaN'}\n",
    );
    deploy(&running.client, &archive);
    let task = super::run(&running.client, "nan", &serde_json::json!({}));
    assert_eq!(
        task["result"],
        serde_json::json!({ "a": [1.0, "NaN"], "b": "-Infinity", "c": "NaN" })
    );
    assert_eq!(task["non_finite"], serde_json::json!(["/a/1", "/b"]));
}
