//! Dimensions: which powers of the base quantities a unit is made of.

use std::fmt;

use crate::lang::Text;

/// Powers of length, mass, time, current, temperature, amount of substance,
/// luminous intensity and plane angle, in halves (fracture toughness is
/// stress times the root of a length).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dimension([i32; 8]);

impl Dimension {
    /// From whole powers, in the order of the type.
    pub(super) const fn whole(powers: [i32; 8]) -> Self {
        let mut halves = [0; 8];
        let mut at = 0;
        while at < 8 {
            halves[at] = 2 * powers[at];
            at += 1;
        }
        Self(halves)
    }

    /// Whether a quantity of this dimension can be written in `other`.
    ///
    /// An angle counts as a number (`kN·m/rad` is `kN·m`), as in the SI, with
    /// one exception: `Hz` and `rad/s` differ by 2π and `1/min` says not
    /// which of the two it means, so rates of turning and rates of counting
    /// don't convert into each other.
    #[must_use]
    pub fn agrees_with(self, other: Self) -> bool {
        self == other || (self.without_angle() == other.without_angle() && !self.is_rate())
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_add(other.0[at])))
    }

    /// Raised to `halves`/2; none where a power would fall between halves or
    /// beyond what any quantity has.
    pub(super) fn power(self, halves: i32) -> Option<Self> {
        let mut powers = [0; 8];
        for (power, own) in powers.iter_mut().zip(self.0) {
            let doubled = own.checked_mul(halves)?;
            if doubled % 2 != 0 || doubled.abs() > 4 * MAX_POWER {
                return None;
            }
            *power = doubled / 2;
        }
        Some(Self(powers))
    }

    /// The kind of quantity, with its article: `an area`, `une aire`.
    #[must_use]
    pub fn name(self) -> Text {
        let named = |wanted: Self| KINDS.iter().find(|(powers, ..)| Self::whole(*powers) == wanted);
        named(self).or_else(|| named(self.without_angle())).map_or_else(
            || {
                Text::new(
                    format!("a quantity of dimension {self}"),
                    format!("une grandeur de dimension {self}"),
                )
            },
            |(_, en, fr)| Text::new(*en, *fr),
        )
    }

    fn without_angle(self) -> Self {
        let mut powers = self.0;
        powers[7] = 0;
        Self(powers)
    }

    /// A negative power of time and nothing else beside an angle.
    fn is_rate(self) -> bool {
        let [length, mass, time, rest @ .., _angle] = self.0;
        time < 0 && length == 0 && mass == 0 && rest.iter().all(|power| *power == 0)
    }
}

/// The highest power that a unit may have; second moments need 4, warping 6.
pub(super) const MAX_POWER: i32 = 24;

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (symbol, power) in ["L", "M", "T", "I", "Θ", "N", "J", "angle"].iter().zip(self.0) {
            if power == 0 {
                continue;
            }
            if !first {
                f.write_str("·")?;
            }
            first = false;
            match power {
                2 => f.write_str(symbol)?,
                even if even % 2 == 0 => write!(f, "{symbol}^{}", even / 2)?,
                odd => write!(f, "{symbol}^({odd}/2)")?,
            }
        }
        if first { f.write_str("1") } else { Ok(()) }
    }
}

/// The kinds of quantity that have a name of their own.
const KINDS: &[([i32; 8], &str, &str)] = &[
    ([0, 0, 0, 0, 0, 0, 0, 0], "a number without dimension", "un nombre sans dimension"),
    ([1, 0, 0, 0, 0, 0, 0, 0], "a length", "une longueur"),
    ([2, 0, 0, 0, 0, 0, 0, 0], "an area", "une aire"),
    ([3, 0, 0, 0, 0, 0, 0, 0], "a volume", "un volume"),
    ([4, 0, 0, 0, 0, 0, 0, 0], "a second moment of area", "un moment quadratique"),
    ([6, 0, 0, 0, 0, 0, 0, 0], "a warping constant", "un moment d'inertie de gauchissement"),
    ([-1, 0, 0, 0, 0, 0, 0, 0], "a curvature", "une courbure"),
    ([0, 1, 0, 0, 0, 0, 0, 0], "a mass", "une masse"),
    ([-1, 1, 0, 0, 0, 0, 0, 0], "a mass per length", "une masse linéique"),
    ([-2, 1, 0, 0, 0, 0, 0, 0], "a mass per area", "une masse surfacique"),
    ([-3, 1, 0, 0, 0, 0, 0, 0], "a density", "une masse volumique"),
    ([2, 1, 0, 0, 0, 0, 0, 0], "a moment of inertia", "un moment d'inertie"),
    ([0, 1, -1, 0, 0, 0, 0, 0], "a mass flow", "un débit massique"),
    ([0, 0, 1, 0, 0, 0, 0, 0], "a time", "une durée"),
    ([0, 0, -1, 0, 0, 0, 0, 0], "a frequency", "une fréquence"),
    ([0, 0, -1, 0, 0, 0, 0, 1], "an angular speed", "une vitesse angulaire"),
    ([0, 0, -2, 0, 0, 0, 0, 1], "an angular acceleration", "une accélération angulaire"),
    ([0, 0, 0, 0, 0, 0, 0, 1], "an angle", "un angle"),
    ([0, 0, 0, 0, 0, 0, 0, 2], "a solid angle", "un angle solide"),
    ([1, 0, -1, 0, 0, 0, 0, 0], "a speed", "une vitesse"),
    ([1, 0, -2, 0, 0, 0, 0, 0], "an acceleration", "une accélération"),
    ([3, 0, -1, 0, 0, 0, 0, 0], "a volume flow", "un débit volumique"),
    ([2, 0, -1, 0, 0, 0, 0, 0], "a kinematic viscosity", "une viscosité cinématique"),
    ([-1, 1, -1, 0, 0, 0, 0, 0], "a dynamic viscosity", "une viscosité dynamique"),
    ([1, 1, -2, 0, 0, 0, 0, 0], "a force", "une force"),
    ([0, 1, -2, 0, 0, 0, 0, 0], "a force per length", "une force linéique"),
    ([-1, 1, -2, 0, 0, 0, 0, 0], "a stress or pressure", "une contrainte ou pression"),
    ([-2, 1, -2, 0, 0, 0, 0, 0], "a force per volume", "une force volumique"),
    ([2, 1, -2, 0, 0, 0, 0, 0], "a moment or energy", "un moment ou une énergie"),
    ([3, 1, -2, 0, 0, 0, 0, 0], "a bending stiffness", "une rigidité de flexion"),
    ([2, 1, -3, 0, 0, 0, 0, 0], "a power", "une puissance"),
    ([0, 1, -3, 0, 0, 0, 0, 0], "a heat flux", "une densité de flux thermique"),
    ([2, 0, -2, 0, 0, 0, 0, 0], "a specific energy", "une énergie massique"),
    ([0, 0, 0, 0, 1, 0, 0, 0], "a temperature", "une température"),
    ([0, 0, 0, 0, -1, 0, 0, 0], "a thermal expansion", "une dilatation thermique"),
    ([1, 1, -3, 0, -1, 0, 0, 0], "a thermal conductivity", "une conductivité thermique"),
    ([0, 1, -3, 0, -1, 0, 0, 0], "a heat transfer coefficient", "un coefficient d'échange"),
    ([2, 0, -2, 0, -1, 0, 0, 0], "a specific heat", "une capacité thermique massique"),
    ([0, 0, 0, 1, 0, 0, 0, 0], "an electric current", "une intensité électrique"),
    ([0, 0, 1, 1, 0, 0, 0, 0], "an electric charge", "une charge électrique"),
    ([2, 1, -3, -1, 0, 0, 0, 0], "a voltage", "une tension électrique"),
    ([2, 1, -3, -2, 0, 0, 0, 0], "an electric resistance", "une résistance électrique"),
    ([0, 1, -2, -1, 0, 0, 0, 0], "a magnetic flux density", "une induction magnétique"),
    ([0, 0, 0, 0, 0, 1, 0, 0], "an amount of substance", "une quantité de matière"),
    ([0, 1, 0, 0, 0, -1, 0, 0], "a molar mass", "une masse molaire"),
    ([0, 0, 0, 0, 0, 0, 1, 0], "a luminous intensity", "une intensité lumineuse"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_turning_and_of_counting_stay_apart() {
        let hertz = Dimension::whole([0, 0, -1, 0, 0, 0, 0, 0]);
        let turning = Dimension::whole([0, 0, -1, 0, 0, 0, 0, 1]);
        assert!(!hertz.agrees_with(turning) && hertz.agrees_with(hertz));
        let moment = Dimension::whole([2, 1, -2, 0, 0, 0, 0, 0]);
        assert!(moment.agrees_with(Dimension::whole([2, 1, -2, 0, 0, 0, 0, -1])));
    }

    #[test]
    fn each_kind_is_named_once() {
        for (at, (powers, ..)) in KINDS.iter().enumerate() {
            assert!(KINDS[..at].iter().all(|(earlier, ..)| earlier != powers), "{powers:?}");
        }
    }

    #[test]
    fn a_dimension_without_a_name_is_spelled_out() {
        let toughness = Dimension([-1, 2, -4, 0, 0, 0, 0, 0]);
        assert_eq!(toughness.name().en, "a quantity of dimension L^(-1/2)·M·T^-2");
    }
}
