"""Deflection of a simply supported beam under a uniform load."""


def calculate(inputs: dict) -> dict:
    """Give the deflection in mm and the moment in kN·m, both at midspan.

    Values arrive in the units of `inputs_schema`: kN/m, m, GPa and cm⁴.
    """
    load = inputs["load"] * 1e3  # N/m
    span = inputs["span"]  # m
    stiffness = inputs["modulus"] * 1e9 * inputs["inertia"] * 1e-8  # N·m²
    deflection = 5 * load * span**4 / (384 * stiffness)  # m
    moment = load * span**2 / 8  # N·m
    return {"deflection": deflection * 1e3, "moment": moment / 1e3}
