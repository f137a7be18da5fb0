"""Files in, files out, and what is said of a file that is none of the kind."""

import csv

import pytest

from handler import calculate

ROWS = "temps;accélération\n0,0;1,0\n0,1;-1,0\n0,2;1,0\n0,3;-1,0\n"


def written(folder, text, encoding="utf-8"):
    path = folder / "signal.csv"
    path.write_text(text, encoding=encoding)
    return {"signal": str(path)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_a_french_file_is_read(tmp_path, encoding):
    found = calculate(written(tmp_path, ROWS, encoding))
    assert found["samples"] == 4
    assert found["rate"] == pytest.approx(10)
    assert found["rms"] == pytest.approx(1)


def test_the_plot_is_a_png_and_the_spectrum_a_table(tmp_path):
    found = calculate({})
    assert found["plot"].read_bytes().startswith(b"\x89PNG")
    with found["spectrum"].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    largest = max(rows, key=lambda row: float(row["amplitude"]))
    assert float(largest["frequency_hz"]) == pytest.approx(5)
    assert float(largest["amplitude"]) == pytest.approx(2, rel=1e-6)


def test_a_constant_signal_has_no_crest_factor(tmp_path):
    found = calculate(written(tmp_path, "t,x\n0,3\n1,3\n2,3\n3,3\n"))
    assert found["crest_factor"] is None and found["rms"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t,x\n0,1\n", "at least 4 rows"),
        ("t\n0\n1\n2\n3\n", "two columns"),
        ("t,x\n0,1\n1,much\n2,1\n3,1\n", "line 3"),
        ("t,x\n0,1\n1,1\n5,1\n6,1\n", "equal steps"),
    ],
)
def test_a_wrong_file_is_refused_with_a_reason(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        calculate(written(tmp_path, text))
