//! Conversions against those of pint, the unit library of Python.
//!
//! `tests/pint.json` is written by `scripts/pint_table.py`.

use domain::units::Unit;
use serde_json::Value;

/// Value, unit from, unit to, pint's float, and its exact result rounded.
struct Row {
    value: String,
    from: String,
    to: String,
    float: f64,
    exact: Option<f64>,
}

fn rows() -> Vec<Row> {
    let table: Value = serde_json::from_str(include_str!("../pint.json")).unwrap();
    let text = |row: &Value, at: usize| row[at].as_str().map(str::to_owned);
    table["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| Row {
            value: text(row, 0).unwrap(),
            from: text(row, 1).unwrap(),
            to: text(row, 2).unwrap(),
            float: text(row, 3).unwrap().parse().unwrap(),
            exact: text(row, 4).map(|text| text.parse().unwrap()),
        })
        .collect()
}

fn converted(row: &Row) -> f64 {
    let (from, to) = (Unit::parse(&row.from).unwrap(), Unit::parse(&row.to).unwrap());
    from.convert(&row.value, &to).unwrap().to_f64().unwrap()
}

fn ulps(left: f64, right: f64) -> u64 {
    assert!(left.signum() == right.signum(), "{left} {right}");
    left.to_bits().abs_diff(right.to_bits())
}

#[test]
fn every_rational_conversion_is_pints_exact_result_rounded_once() {
    let rows: Vec<Row> = rows().into_iter().filter(|row| row.exact.is_some()).collect();
    assert!(rows.len() > 2000, "the table holds {} exact rows", rows.len());
    for row in rows {
        let (ours, exact) = (converted(&row), row.exact.unwrap());
        assert_eq!(ours.to_bits(), exact.to_bits(), "{} {} → {}", row.value, row.from, row.to);
    }
}

#[test]
fn every_conversion_is_within_two_ulp_of_pint() {
    // Where pint's floats drift from pint's own fractions by more than that,
    // the test above has compared with the fractions.
    let mut compared = 0;
    for row in rows() {
        if row.exact.is_some_and(|exact| ulps(row.float, exact) > 2) {
            continue;
        }
        compared += 1;
        let ours = converted(&row);
        assert!(
            ulps(ours, row.float) <= 2,
            "{} {} → {}: {ours}, pint {}",
            row.value,
            row.from,
            row.to,
            row.float
        );
    }
    assert!(compared > 2500, "only {compared} rows were comparable");
}
