"""Pour pytest, qui s'exécute avec `mecapy test` et avant chaque déploiement."""

from handler import calculate

BEAM = {"load": 10, "span": 6, "modulus": 210, "inertia": 8356}


def test_la_fleche_est_proportionnelle_a_la_charge():
    simple = calculate(BEAM)["deflection"]
    double = calculate({**BEAM, "load": 20})["deflection"]
    assert abs(double - 2 * simple) < 1e-9


def test_sans_charge_rien_ne_flechit():
    assert calculate({**BEAM, "load": 0}) == {"deflection": 0, "moment": 0}
