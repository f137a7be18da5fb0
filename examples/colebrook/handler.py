"""Darcy friction factor of turbulent pipe flow, by Colebrook and White."""

# fluids looks for it within the call, which takes 0.2 s in a process that has
# not got it yet. What the handler imports is warm before the call.
import scipy.special  # noqa: F401
from fluids.friction import Colebrook


def calculate(inputs: dict) -> dict:
    """Darcy is what engineers in Europe tabulate; Fanning is a quarter of it."""
    darcy = Colebrook(inputs["reynolds"], inputs["relative_roughness"])
    return {"friction_factor": darcy, "fanning_factor": darcy / 4}
