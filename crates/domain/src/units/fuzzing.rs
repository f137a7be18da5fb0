//! What must hold for every text that is read as a unit, for the fuzzer and
//! for the replay of its corpus in this crate's tests.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;

use super::{Exact, Quantity, Unit};

/// Reads lines: a unit, another unit, a quantity; what is missing is empty.
///
/// # Panics
/// Where a reading or a conversion breaks one of its promises.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (from, to, quantity) = (unit(line()), unit(line()), line());
    let (Some(from), Some(to)) = (from, to) else { return };
    assert!(from.is_same_as(&from) && from.agree_with(&from).is_ok());
    assert_eq!(from.agree_with(&to).is_ok(), to.agree_with(&from).is_ok(), "{from}, {to}");
    match Quantity::parse(quantity) {
        Ok(quantity) => {
            let again = Quantity::parse(&format!("{} {}", quantity.number(), quantity.unit()));
            assert_eq!(again.as_ref(), Ok(&quantity));
            unit(quantity.unit().as_str());
            for target in [&from, &to] {
                if let Ok(exact) = quantity.to(target) {
                    numbers(&exact);
                }
            }
            there_and_back(quantity.number(), &from, &to);
        }
        Err(error) => sentences(&error),
    }
}

/// The unit of a text, which reads alike when it is written again.
fn unit(text: &str) -> Option<Unit> {
    match Unit::parse(text) {
        Ok(unit) => {
            assert_eq!(Unit::parse(&unit.to_string()).as_ref(), Ok(&unit));
            let name = unit.dimension().name();
            assert!(!name.en.is_empty() && !name.fr.is_empty());
            Some(unit)
        }
        Err(error) => {
            sentences(&error);
            None
        }
    }
}

fn sentences(error: &super::Error) {
    let text = error.text();
    assert!(!text.en.is_empty() && !text.fr.is_empty() && text.en.len() < 1000, "{error:?}");
}

/// The float is the nearest one, and JSON reads what JSON is written.
fn numbers(exact: &Exact) {
    let ratio = exact.ratio();
    match exact.to_f64() {
        Ok(float) => {
            let distance =
                |near: f64| BigRational::from_float(near).map(|near| (near - &ratio).abs());
            let own = distance(float).expect("a float that was accepted is finite");
            for neighbour in [float.next_up(), float.next_down()] {
                assert!(distance(neighbour).is_none_or(|other| own <= other), "{ratio}: {float}");
            }
        }
        Err(error) => {
            let largest = BigRational::from_float(f64::MAX).expect("it is finite");
            assert!(ratio.abs() > largest, "{ratio} is in range: {error}");
        }
    }
    for integer in [false, true] {
        if let Ok(number) = exact.to_json(integer) {
            let text = number.to_string();
            let read: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
            assert_eq!(read.to_string(), text);
        }
    }
}

/// The way back leads to the same number: exactly, or within 70 digits where
/// π or a root had to be cut, and within two units of the last place where
/// both numbers were rounded to normal floats.
fn there_and_back(number: &str, from: &Unit, to: &Unit) {
    let Ok(there) = from.convert(number, to) else { return };
    numbers(&there);
    let start = super::exact::decimal(number).expect("it was converted").reduced();
    let minus = there.value.is_negative();
    let back = to.converted(there.value.clone(), minus, None, from).value;
    // What a zero point adds is lost digits of the number itself.
    let size = [&from.offset, &to.offset]
        .into_iter()
        .flatten()
        .fold(start.abs().max(there.value.abs()), |size, offset| size.max(offset.abs()));
    let most = size / BigRational::from(BigInt::from(10).pow(70));
    let error = (&back - &start).abs();
    assert!(error <= most, "{number} {from} → {to} and back is {back}");

    let floats = |value: f64| value.is_normal().then_some(value);
    let Some(value) = number.parse().ok().and_then(floats) else { return };
    let Some(there) = from.convert_f64(value, to).ok().and_then(floats) else { return };
    let Ok(back) = to.convert_f64(there, from) else {
        assert!(value.abs() > f64::MAX / 4.0, "{value} {from} → {to} does not come back");
        return;
    };
    if from.offset.is_none() && to.offset.is_none() && back.is_normal() {
        let ulps = value.to_bits().abs_diff(back.to_bits());
        assert!(ulps <= 2, "{value} {from} → {there} {to} → {back} {from}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    #[test]
    fn what_the_fuzzer_found_stays_mended() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let folders = ["corpus/units", "regressions/units"].map(|folder| fuzz.join(folder));
        let mut seen = 0;
        for file in folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten() {
            let path = file.unwrap().path();
            eprintln!("{}", path.display());
            let began = Instant::now();
            super::check(&std::fs::read(&path).unwrap());
            assert!(began.elapsed() < Duration::from_secs(5), "{} is slow", path.display());
            seen += 1;
        }
        assert!(seen > 10, "only {seen} files in {}", fuzz.display());
    }
}
