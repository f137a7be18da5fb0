//! Exact factors: a rational, the root of a rational, and a power of π.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// A factor `ratio · √root · π^pi`, exact until it is multiplied out.
///
/// Keeping the root and π apart lets them cancel: a turn in degrees is
/// exactly 360, and `MPa·√m` in `N/mm²·√m` exactly 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) ratio: BigRational,
    root: BigRational,
    pi: i32,
}

impl Scale {
    pub(super) fn new(ratio: BigRational, pi: i32) -> Self {
        Self { ratio, root: BigRational::one(), pi }
    }

    /// The product; none where it grows beyond any real unit's.
    pub(super) fn times(&self, other: &Self) -> Option<Self> {
        let product = Self {
            ratio: &self.ratio * &other.ratio,
            root: &self.root * &other.root,
            pi: self.pi.checked_add(other.pi)?,
        };
        (bits(&product.ratio).max(bits(&product.root)) <= MAX_BITS).then_some(product)
    }

    /// Raised to `halves`/2; none where it grows beyond any real unit's, or
    /// would need a fourth root or the root of π.
    pub(super) fn power(&self, halves: i32) -> Option<Self> {
        let size = bits(&self.ratio).max(bits(&self.root)) * u64::from(halves.unsigned_abs());
        let pi = self.pi.checked_mul(halves).filter(|pi| pi % 2 == 0)? / 2;
        if size > 2 * MAX_BITS {
            return None;
        }
        if halves % 2 == 0 {
            let power = halves / 2;
            return Some(Self { ratio: self.ratio.pow(power), root: self.root.pow(power), pi });
        }
        self.root.is_one().then(|| Self {
            ratio: BigRational::one(),
            root: self.ratio.pow(halves),
            pi,
        })
    }

    /// What a number in this unit is multiplied by to be one in `target`.
    ///
    /// Exact where the roots and powers of π cancel; otherwise right to
    /// [`DIGITS`] digits, four times what rounding to a float can see.
    pub(super) fn per(&self, target: &Self) -> BigRational {
        let mut factor = &self.ratio / &target.ratio * square_root(&(&self.root / &target.root));
        let pi = self.pi - target.pi;
        if pi != 0 {
            factor *= pi_ratio().pow(pi);
        }
        factor
    }
}

/// How many decimal digits of π and of irrational roots are used.
const DIGITS: u32 = 80;

/// Room for the twelfth power of the largest prefix.
pub(super) const MAX_BITS: u64 = 1024;

/// π to 80 decimals (OEIS A000796).
const PI: &str =
    "314159265358979323846264338327950288419716939937510582097494459230781640628620899";

fn pi_ratio() -> BigRational {
    let digits = PI.parse::<BigInt>().expect("the constant holds digits only");
    BigRational::new(digits, BigInt::from(10).pow(DIGITS))
}

/// The root of a positive rational: exact for a square of a rational.
fn square_root(of: &BigRational) -> BigRational {
    let (numerator, denominator) = (of.numer().sqrt(), of.denom().sqrt());
    if &(&numerator * &numerator) == of.numer() && &(&denominator * &denominator) == of.denom() {
        return BigRational::new(numerator, denominator);
    }
    let shift = BigInt::from(10).pow(DIGITS);
    let under_root = of.numer() * of.denom() * &shift * &shift;
    BigRational::new(under_root.sqrt(), of.denom() * shift)
}

fn bits(of: &BigRational) -> u64 {
    of.numer().bits().max(of.denom().bits())
}

/// The float64 nearest to `exact`, ties to even; none beyond the largest.
pub(super) fn nearest_float(exact: &BigRational) -> Option<f64> {
    if exact.is_zero() {
        return Some(0.0);
    }
    let (numerator, denominator) = (exact.numer().abs(), exact.denom().clone());
    let bits = |of: &BigInt| i64::try_from(of.bits()).unwrap_or(i64::MAX / 4);
    // The exponent of the last bit kept: 53 bits of quotient (54 where the
    // estimate is one short), fewer below the normal range.
    let mut last = (bits(&numerator) - bits(&denominator) - 53).max(SMALLEST);
    let mut mantissa = rounded_quotient(&numerator, &denominator, last);
    if mantissa.bits() > 53 {
        last += 1;
        mantissa = rounded_quotient(&numerator, &denominator, last);
    }
    // Rounding up to 2⁵³ is exact as a float, so nothing is rounded twice.
    let mantissa = mantissa.to_u64().filter(|whole| *whole <= 1 << 53)?;
    let magnitude = scaled(mantissa, last)?;
    Some(if exact.is_negative() { -magnitude } else { magnitude })
}

/// The exponent of the smallest subnormal.
const SMALLEST: i64 = -1074;

/// `numerator / denominator / 2^last`, rounded to the nearest, ties to even.
fn rounded_quotient(numerator: &BigInt, denominator: &BigInt, last: i64) -> BigInt {
    let shift = last.unsigned_abs();
    let (above, below) = if last >= 0 {
        (numerator.clone(), denominator << shift)
    } else {
        (numerator << shift, denominator.clone())
    };
    let (quotient, rest) = (&above / &below, &above % &below);
    let up = match (rest * 2u8).cmp(&below) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => quotient.bit(0),
    };
    quotient + u8::from(up)
}

/// `mantissa · 2^last` without rounding; none beyond the largest float.
fn scaled(mantissa: u64, last: i64) -> Option<f64> {
    let (mantissa, last) = if mantissa == 1 << 53 { (1 << 52, last + 1) } else { (mantissa, last) };
    if last > 971 {
        return None;
    }
    if mantissa < 1 << 52 {
        // Only subnormals have fewer than 53 bits.
        return Some(f64::from_bits(mantissa));
    }
    let exponent = u64::try_from(last - SMALLEST + 1).ok()?;
    Some(f64::from_bits((exponent << 52) | (mantissa & ((1 << 52) - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(numerator: i64, denominator: i64) -> BigRational {
        BigRational::new(numerator.into(), denominator.into())
    }

    #[test]
    fn ties_go_to_the_even_neighbour() {
        let two53 = 1i64 << 53;
        assert_eq!(nearest_float(&ratio(two53 + 1, 1)), Some(9_007_199_254_740_992.0));
        assert_eq!(nearest_float(&ratio(two53 + 3, 1)), Some(9_007_199_254_740_996.0));
        assert_eq!(nearest_float(&ratio(-1, 3)), Some(-1.0 / 3.0));
    }

    #[test]
    fn the_ends_of_the_range_are_kept() {
        let largest = BigRational::from_float(f64::MAX).unwrap();
        assert_eq!(nearest_float(&largest), Some(f64::MAX));
        assert_eq!(nearest_float(&(largest * ratio(2, 1))), None);
        let smallest = BigRational::from_float(5e-324).unwrap();
        assert_eq!(nearest_float(&smallest), Some(5e-324));
        assert_eq!(nearest_float(&(&smallest * ratio(1, 2))), Some(0.0));
        assert_eq!(nearest_float(&(&smallest * ratio(3, 4))), Some(5e-324));
        let normal = BigRational::from_float(f64::MIN_POSITIVE).unwrap();
        assert_eq!(nearest_float(&normal), Some(f64::MIN_POSITIVE));
    }

    #[test]
    fn a_root_is_exact_where_one_exists_and_near_elsewhere() {
        assert_eq!(square_root(&ratio(9, 4)), ratio(3, 2));
        let squared = square_root(&ratio(1000, 7)).pow(2);
        let error = (squared / ratio(1000, 7) - BigRational::one()).abs();
        assert!(error < ratio(1, 10).pow(70), "{error}");
    }
}
