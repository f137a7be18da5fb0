"""For pytest, which runs with `mecapy test` and before each deployment."""

from handler import calculate

BEAM = {"load": 10, "span": 6, "modulus": 210, "inertia": 8356}


def test_deflection_is_proportional_to_the_load():
    single = calculate(BEAM)["deflection"]
    double = calculate({**BEAM, "load": 20})["deflection"]
    assert abs(double - 2 * single) < 1e-9


def test_no_load_bends_nothing():
    assert calculate({**BEAM, "load": 0}) == {"deflection": 0, "moment": 0}
