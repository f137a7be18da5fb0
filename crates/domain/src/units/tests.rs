//! What conversions must give, checked against values worked out by hand.

use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn unit(text: &str) -> Unit {
    Unit::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn json_of(value: &str, from: &str, to: &str, integer: bool) -> String {
    unit(from).convert(value, &unit(to)).unwrap().to_json(integer).unwrap().to_string()
}

#[test]
fn every_way_of_writing_a_unit_is_read() {
    let groups: &[&[&str]] = &[
        &[
            "N/mm²",
            "MPa",
            "N/mm^2",
            "N/mm**2",
            "N/mm2",
            "N·mm⁻²",
            "N mm^-2",
            "N.mm-2",
            "N mm ** -2",
        ],
        &["kN·m", "kN*m", "kN m", "kN.m", "kN⋅m", "kNm", "kJ", "m·kN", "kN × m", "kN(m)"],
        &["kg/m^3", "kg/m³", "kg·m-3", "(kg)/(m³)", "g/L", "kg/m/m/m"],
        &["W/(m²·K)", "W/m²/K", "W/(m^2 K)"],
        &["1/s", "s⁻¹", "s^-1", "Hz"],
        &["MPa√m", "MPa·√m", "MPa*m^0.5", "MPa·m^(1/2)"],
        &["µm", "μm", "um"],
        &["%", "percent"],
        &["rpm", "tr/min", "rev/min"],
        &["°", "deg", "degrees"],
        &["1", "-", "m/m", "rad/rad"],
        &["l", "L", "dm³"],
    ];
    for group in groups {
        for text in *group {
            assert!(unit(text).is_same_as(&unit(group[0])), "{text} is {}", group[0]);
        }
    }
}

#[test]
fn conversions_are_exact_and_rounded_once() {
    for (value, from, to, expected) in [
        ("12", "cm²", "mm²", "1200.0"),
        ("0.1", "cm", "mm", "1.0"),
        ("0.3", "m", "mm", "300.0"),
        ("1", "in", "mm", "25.4"),
        ("1", "psi", "Pa", "6894.757293168362"),
        ("1", "ksi", "MPa", "6.894757293168361"),
        ("20", "°C", "K", "293.15"),
        ("98.6", "°F", "°C", "37.0"),
        ("-40", "°F", "°C", "-40.0"),
        ("0", "K", "°C", "-273.15"),
        ("180", "°", "rad", "3.141592653589793"),
        ("60", "rpm", "rad/s", "6.283185307179586"),
        ("1", "tr", "°", "360.0"),
        ("1", "rpm", "°/s", "6.0"),
        ("1", "kWh", "J", "3600000.0"),
        ("36", "km/h", "m/s", "10.0"),
        ("1", "MPa·√m", "N/mm^(3/2)", "31.622776601683793"),
        ("1", "ksi·√in", "MPa·√m", "1.0988434941087548"),
        ("4", "√(m)", "√(cm)", "40.0"),
        ("12e-6", "1/K", "1/K", "12e-6"),
        ("1e-320", "m", "mm", "1e-317"),
        ("-0.0", "cm", "mm", "-0.0"),
        ("50", "%", "1", "0.5"),
        ("1", "kN·m/rad", "N·m", "1000.0"),
    ] {
        assert_eq!(json_of(value, from, to, false), expected, "{value} {from} → {to}");
    }
}

#[test]
fn what_no_float_holds_is_refused_and_what_comes_back_into_range_is_not() {
    let converted = |value, from, to| unit(from).convert(value, &unit(to)).unwrap().to_json(false);
    assert_eq!(converted("1e300", "Gm", "nm").unwrap_err().code(), "unit_range");
    assert_eq!(converted("1e400", "mm", "mm").unwrap_err().code(), "unit_range");
    assert_eq!(converted("1e310", "nm", "Gm").unwrap().to_string(), "1e+292");
}

#[test]
fn integers_stay_integers_where_the_property_is_one() {
    assert_eq!(json_of("12", "cm", "mm", true), "120");
    assert_eq!(json_of("123456789012345678901", "m", "mm", true), "123456789012345678901000");
    assert_eq!(json_of("5", "mm", "cm", true), "0.5");
    assert_eq!(json_of("123456789012345678901", "mm", "mm", true), "123456789012345678901");
}

#[test]
fn what_needs_no_conversion_stays_as_written() {
    assert_eq!(json_of("1.50", "N/mm²", "MPa", false), "1.50");
    assert_eq!(json_of("20", "°C", "degC", false), "20");
}

#[test]
fn a_wrong_dimension_says_what_was_expected() {
    let error = unit("kN").agree_with(&unit("mm²")).unwrap_err();
    assert_eq!(error.to_string(), "expected an area such as mm², found kN (force)");
    assert_eq!(error.text().fr, "attendu : une aire comme mm² ; trouvé : kN (force)");
    for (from, to) in [("rpm", "Hz"), ("rad/s", "1/s"), ("1/min", "rpm"), ("mm²", "mm"), ("1", "N")]
    {
        assert_eq!(unit(from).agree_with(&unit(to)).unwrap_err().code(), "unit_dimension");
    }
}

#[test]
fn what_is_no_unit_is_refused_with_a_reason() {
    for (text, code) in [
        ("", "unit_syntax"),
        ("12 mm", "unit_syntax"),
        ("mm²²²²²²", "unit_bounds"),
        ("m^99999999999999", "unit_bounds"),
        ("m^(1/3)", "unit_bounds"),
        ("m^0.3", "unit_bounds"),
        ("√√m", "unit_syntax"),
        ("√(√m)", "unit_bounds"),
        ("W/m·K", "unit_syntax"),
        ("N//m", "unit_syntax"),
        ("N·", "unit_syntax"),
        ("(N", "unit_syntax"),
        ("N)", "unit_syntax"),
        ("N-m", "unit_syntax"),
        ("m^", "unit_syntax"),
        ("m⁻", "unit_syntax"),
        ("furlong", "unit_unknown"),
        ("KN", "unit_unknown"),
        ("mmin", "unit_unknown"),
        ("W/(m²·°C)", "unit_offset"),
        ("°C²", "unit_offset"),
        ("1/°F", "unit_offset"),
        ("Ym^12·Ym^12·Ym^12", "unit_bounds"),
        ("(((((m)))))", "unit_bounds"),
        ("(m^12)^12", "unit_bounds"),
        ("m m m m m m m m m m m m m m m m m", "unit_bounds"),
        (&"m".repeat(101), "unit_bounds"),
    ] {
        let error = Unit::parse(text).map(|unit| unit.to_string()).unwrap_err();
        assert_eq!(error.code(), code, "{text}: {error}");
    }
}

#[test]
fn quantities_are_read_from_text_and_objects() {
    let to_mm2 = |json: serde_json::Value| {
        Quantity::from_json(&json)
            .map(|quantity| quantity.and_then(|quantity| quantity.to(&unit("mm²"))?.to_json(false)))
    };
    let number = |json| to_mm2(json).unwrap().unwrap().to_string();
    assert_eq!(number(json!("12 cm²")), "1200.0");
    assert_eq!(number(json!("12cm2")), "1200.0");
    assert_eq!(number(json!("1.2e1\u{a0}cm²")), "1200.0");
    assert_eq!(number(json!({"value": 12, "unit": "cm²"})), "1200.0");
    assert!(to_mm2(json!(12)).is_none() && to_mm2(json!([12])).is_none());
    for (json, code) in [
        (json!("12"), "unit_dimension"),
        (json!("cm²"), "unit_number"),
        (json!("12,5 cm²"), "unit_number"),
        (json!({"value": "12", "unit": "cm²"}), "unit_syntax"),
        (json!({"value": 12}), "unit_syntax"),
        (json!({"value": 12, "unit": "cm²", "note": 1}), "unit_syntax"),
        (json!({"value": 12, "unit": "kN"}), "unit_dimension"),
    ] {
        assert_eq!(to_mm2(json.clone()).unwrap().unwrap_err().code(), code, "{json}");
    }
}

/// The distance between two floats in units of the last place.
fn ulps(left: f64, right: f64) -> u64 {
    let ordered = |value: f64| {
        let bits = i128::from(value.to_bits() & !(1 << 63));
        if value.is_sign_negative() { -bits } else { bits }
    };
    u64::try_from((ordered(left) - ordered(right)).unsigned_abs()).unwrap_or(u64::MAX)
}

proptest! {
    /// `str::parse` rounds decimals correctly and shares nothing with the
    /// code under test: a power of ten between units is a shift of the point.
    #[test]
    fn a_power_of_ten_rounds_as_the_shifted_decimal_does(
        mantissa in any::<i64>(), exponent in -330i32..310, to in 0usize..5,
    ) {
        let (name, shift) = [("mm", 3), ("cm", 2), ("km", -3), ("µm", 6), ("Gm", -9)][to];
        let value = format!("{mantissa}e{exponent}");
        let expected: f64 = format!("{mantissa}e{}", exponent + shift).parse().unwrap();
        let found = unit("m").convert(&value, &unit(name)).unwrap().to_f64();
        if expected.is_finite() {
            prop_assert_eq!(found.unwrap().to_bits(), expected.to_bits());
        } else {
            prop_assert!(found.is_err());
        }
    }

    /// The nearest float is within half a unit of both its neighbours,
    /// compared exactly.
    #[test]
    fn no_neighbour_is_nearer_than_the_result(value in -1e15f64..1e15, pair in 0usize..6) {
        let (from, to) = [("psi", "bar"), ("ft", "in"), ("km/h", "m/s"), ("hp", "kW"),
            ("lbf·ft", "N·m"), ("°F", "°C")][pair];
        let exact = unit(from).convert(&format!("{value:?}"), &unit(to)).unwrap();
        let found = exact.to_f64().unwrap();
        let distance = |near: f64| {
            let error = BigRational::from_float(near).unwrap() - exact.ratio();
            if error < BigRational::zero() { -error } else { error }
        };
        prop_assert!(distance(found) <= distance(found.next_up()));
        prop_assert!(distance(found) <= distance(found.next_down()));
    }

    #[test]
    fn there_and_back_is_the_same_number(value in any::<f64>(), pair in 0usize..6) {
        prop_assume!(value.is_finite() && value.abs() < 1e290 && value.abs() > 1e-290);
        let (from, to) = [("psi", "MPa"), ("in", "mm"), ("tr/min", "rad/s"), ("lb", "kg"),
            ("kN·m", "lbf·ft"), ("MPa·√m", "ksi·√in")][pair];
        let there = unit(from).convert_f64(value, &unit(to)).unwrap();
        let back = unit(to).convert_f64(there, &unit(from)).unwrap();
        prop_assert!(ulps(value, back) <= 1, "{} {}", value, back);
    }

    #[test]
    fn every_number_comes_back_exactly_from_its_own_unit(value in any::<f64>()) {
        prop_assume!(value.is_finite());
        let back = unit("kN").convert_f64(value, &unit("kN")).unwrap();
        prop_assert_eq!(back.to_bits(), value.to_bits());
    }

    #[test]
    fn integers_of_any_size_convert_exactly(digits in "[1-9][0-9]{0,300}") {
        let found = json_of(&digits, "km", "mm", true);
        prop_assert_eq!(found, format!("{digits}000000"));
        let whole: BigInt = digits.parse().unwrap();
        let exact = unit("mm").convert(&digits, &unit("m")).unwrap();
        prop_assert_eq!(exact.ratio(), BigRational::new(whole, 1000.into()));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,120}", other in "[mNkg/·*^().0-9²⁻ √°%-]{0,60}") {
        for text in [&text, &other] {
            let _ = Unit::parse(text);
            let _ = Quantity::parse(text);
        }
    }
}
