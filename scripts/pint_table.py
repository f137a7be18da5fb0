"""Write crates/domain/tests/pint.json: conversions as pint computes them.

Run with pint installed: ``python scripts/pint_table.py``. Each row holds a
value, two units as MecaPy writes them, pint's result with its default floats
and, where no power of pi or root is involved, the float nearest to pint's
exact result with fractions: chains of float factors drift by up to 13 ulp.
"""

import json
import random
from fractions import Fraction
from pathlib import Path

import pint

OUT = Path(__file__).parent.parent / "crates" / "domain" / "tests" / "pint.json"

# Groups of units of one dimension: MecaPy's spelling, pint's where it differs.
GROUPS = [
    ["mm", "cm", "m", "km", "in", "ft", "yd", "mi", "µm"],
    [("mm²", "mm**2"), ("cm²", "cm**2"), ("m²", "m**2"), ("in²", "in**2"), ("ft²", "ft**2")],
    [("mm³", "mm**3"), ("cm³", "cm**3"), ("m³", "m**3"), "L", "mL", ("in³", "in**3")],
    [("mm⁴", "mm**4"), ("cm⁴", "cm**4"), ("m⁴", "m**4"), ("in⁴", "in**4")],
    ["N", "kN", "MN", "lbf", "kgf", ("kip", "kip"), ("daN", "daN")],
    [
        "Pa",
        "kPa",
        "MPa",
        "GPa",
        "bar",
        "mbar",
        "psi",
        "ksi",
        "atm",
        ("N/mm²", "N/mm**2"),
        ("kN/m²", "kN/m**2"),
        ("lbf/ft²", "lbf/ft**2"),
    ],
    ["kg", "t", "g", "lb", "oz", "mg"],
    ["s", "min", "h", "d", "ms"],
    [
        ("m/s", "m/s"),
        ("km/h", "km/h"),
        ("mph", "mile/hour"),
        ("ft/s", "ft/s"),
        ("in/min", "in/min"),
    ],
    [("m/s²", "m/s**2"), ("g0", "standard_gravity"), ("ft/s²", "ft/s**2")],
    [
        ("N·m", "N*m"),
        ("kN·m", "kN*m"),
        ("N·mm", "N*mm"),
        ("lbf·ft", "lbf*ft"),
        ("lbf·in", "lbf*in"),
        "J",
        "kJ",
        "kWh",
        "Wh",
        "cal",
        "eV",
    ],
    ["W", "kW", "MW", ("hp", "horsepower"), ("ch", "metric_horsepower")],
    [("kN/m", "kN/m"), ("N/mm", "N/mm"), ("lbf/ft", "lbf/ft"), ("lbf/in", "lbf/in")],
    [("kg/m³", "kg/m**3"), ("g/cm³", "g/cm**3"), ("t/m³", "t/m**3"), ("lb/ft³", "lb/ft**3")],
    [("m³/h", "m**3/h"), ("L/s", "L/s"), ("L/min", "L/min"), ("ft³/min", "ft**3/min")],
    [("Pa·s", "Pa*s"), ("mPa·s", "mPa*s"), ("cP", "cP"), ("P", "P")],
    [("m²/s", "m**2/s"), ("mm²/s", "mm**2/s"), ("cSt", "cSt")],
    [("W/(m·K)", "W/(m*K)"), ("W/(cm·K)", "W/(cm*K)"), ("kW/(mm·K)", "kW/(mm*K)")],
    [("J/(kg·K)", "J/(kg*K)"), ("kJ/(kg·K)", "kJ/(kg*K)"), ("J/(g·K)", "J/(g*K)")],
    ["K", ("°C", "degC"), ("°F", "degF"), ("°R", "degR")],
    ["rad", ("°", "deg"), ("tr", "turn"), "mrad", ("gon", "grad"), "arcmin", "arcsec"],
    [("rad/s", "rad/s"), "rpm", ("tr/min", "turn/min"), ("°/s", "deg/s")],
    ["Hz", "kHz", "MHz", ("1/min", "1/min")],
    ["A", "mA", "kA"],
    ["V", "mV", "kV"],
    [("Ω", "ohm"), ("kΩ", "kohm")],
    ["mol", "kmol"],
    [("1", "dimensionless"), ("%", "percent"), ("‰", "permille"), "ppm"],
    [("MPa·√m", "MPa*m**0.5"), ("N/mm^1.5", "N/mm**1.5")],
]
INEXACT = ("rad", "°", "tr", "gon", "arc", "rpm", "√", "^1.5")
VALUES_PER_PAIR = 4


def main() -> None:
    rng = random.Random(20260101)
    floats = pint.UnitRegistry()
    exact = pint.UnitRegistry(non_int_type=Fraction)
    rows = []
    for group in GROUPS:
        units = [unit if isinstance(unit, tuple) else (unit, unit) for unit in group]
        for source, pint_source in units:
            for target, pint_target in units:
                if source == target:
                    continue
                for _ in range(VALUES_PER_PAIR):
                    text = repr(round(rng.uniform(0.1, 10), 3) * 10.0 ** rng.randint(-3, 6))
                    converted = floats.Quantity(float(text), pint_source).to(pint_target)
                    row = [text, source, target, repr(float(converted.magnitude))]
                    names = (source + target).replace("°C", "").replace("°F", "").replace("°R", "")
                    if not any(mark in names for mark in INEXACT):
                        fraction = exact.Quantity(Fraction(text), pint_source).to(pint_target)
                        row.append(repr(float(fraction.magnitude)))
                    rows.append(row)
    head = {"generated_by": "scripts/pint_table.py", "pint": pint.__version__}
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
