"""Darcy friction factor of turbulent pipe flow, by Colebrook and White."""

from fluids.friction import Colebrook


def calculate(inputs: dict) -> dict:
    """Darcy is what engineers in Europe tabulate; Fanning is a quarter of it."""
    darcy = Colebrook(inputs["reynolds"], inputs["relative_roughness"])
    return {"friction_factor": darcy, "fanning_factor": darcy / 4}
