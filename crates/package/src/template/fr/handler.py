"""Flèche d’une poutre sur deux appuis sous charge uniforme."""


def calculate(inputs: dict) -> dict:
    """Donne la flèche en mm et le moment en kN·m, tous deux à mi-travée.

    Les valeurs arrivent dans les unités d’`inputs_schema` : kN/m, m, GPa et cm⁴.
    """
    load = inputs["load"] * 1e3  # N/m
    span = inputs["span"]  # m
    stiffness = inputs["modulus"] * 1e9 * inputs["inertia"] * 1e-8  # N·m²
    deflection = 5 * load * span**4 / (384 * stiffness)  # m
    moment = load * span**2 / 8  # N·m
    return {"deflection": deflection * 1e3, "moment": moment / 1e3}
