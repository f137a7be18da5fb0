"""What no single number shows: the factor solves the equation, wherever."""

import math

import pytest
from handler import calculate


@pytest.mark.parametrize("reynolds", [4e3, 1e5, 1e8])
@pytest.mark.parametrize("roughness", [0, 1e-6, 1e-4, 0.05])
def test_the_factor_solves_colebrooks_equation(reynolds, roughness):
    found = calculate({"reynolds": reynolds, "relative_roughness": roughness})
    root = 1 / math.sqrt(found["friction_factor"])
    argument = roughness / 3.7 + 2.51 * root / reynolds
    assert root == pytest.approx(-2 * math.log10(argument), rel=1e-4)


def test_fanning_is_a_quarter_of_darcy():
    found = calculate({"reynolds": 1e5, "relative_roughness": 1e-4})
    assert found["friction_factor"] == pytest.approx(4 * found["fanning_factor"], rel=1e-15)
