"""Tensile stress in a bolt and its safety factor against yielding."""


def calculate(inputs: dict) -> dict:
    """Newtons over square millimetres are megapascals."""
    stress = inputs["force"] / inputs["section"]
    if stress == 0:
        # No factor is the right one without a load: the platform's readers
        # know null, and nothing is divided by zero.
        return {"stress": 0.0, "safety_factor": None, "status": "no load"}
    safety_factor = inputs["yield_stress"] / stress
    return {
        "stress": stress,
        "safety_factor": safety_factor,
        "status": "ok" if safety_factor >= 1 else "overloaded",
    }
