"""A simply supported beam under a uniform load, by Euler-Bernoulli."""

PASCAL_PER_GPA = 1e9
NEWTON_PER_KILONEWTON = 1e3
MILLIMETRE_PER_METRE = 1e3


def calculate(inputs: dict) -> dict:
    """Everything in newtons and metres inside, in the schema's units outside."""
    load = inputs["load"] * NEWTON_PER_KILONEWTON
    span = inputs["span"]
    stiffness = inputs["elastic_modulus"] * PASCAL_PER_GPA * inputs["second_moment"]
    deflection = 5 * load * span**4 / (384 * stiffness)
    return {
        "reaction": load * span / 2 / NEWTON_PER_KILONEWTON,
        "moment": load * span**2 / 8 / NEWTON_PER_KILONEWTON,
        "deflection": deflection * MILLIMETRE_PER_METRE,
        "deflection_ratio": deflection / span,
    }
