"""The encoder with NumPy and pandas: `python -m unittest test_encode_arrays`."""

import math
import random
import unittest

import numpy as np
import pandas as pd

from runner import LIMIT, encode, json_of, refusal


class NumPy(unittest.TestCase):
    def test_scalars_become_their_python_numbers(self):
        for value, expected in [
            (np.float64(0.1), "0.1"),
            (np.float32(0.1), "0.10000000149011612"),
            (np.float16(0.1), "0.0999755859375"),
            (np.int8(-5), "-5"),
            (np.uint64(2**64 - 1), "18446744073709551615"),
            (np.bool_(True), "true"),
            (np.str_("é"), '"é"'),
            (np.complex64(1 + 2j), '{"real":1.0,"imag":2.0}'),
            (np.longdouble(0.5), "0.5"),
            (np.datetime64("2026-01-02"), '"2026-01-02"'),
            (np.datetime64("2026-01-02T03:04:05.123456789"), '"2026-01-02T03:04:05.123456789"'),
            (np.datetime64("NaT", "s"), "null"),
            (np.timedelta64(1500, "ms"), '"PT1.5S"'),
            (np.timedelta64(-90, "s"), '"-PT1M30S"'),
            (np.timedelta64(14, "M"), '"P14M"'),
            (np.timedelta64(1, "ns"), '"PT0.000000001S"'),
        ]:
            self.assertEqual(json_of(value), expected)
            self.assertEqual(json_of({"v": [value]}), '{"v":[%s]}' % expected)

    def test_arrays_become_nested_lists(self):
        for value, expected in [
            (np.array([[1.5, -0.0], [5e-324, 1e22]]), "[[1.5,-0.0],[5e-324,1e+22]]"),
            (np.array([0.1], dtype="float32"), "[0.10000000149011612]"),
            (np.array([1, 2], dtype=">i4"), "[1,2]"),
            (np.array(3.5), "3.5"),
            (np.array([]), "[]"),
            (np.zeros((2, 0)), "[[],[]]"),
            (np.array([True, False]), "[true,false]"),
            (np.array([1j]), '[{"real":0.0,"imag":1.0}]'),
            (np.array(["a", "bc"]), '["a","bc"]'),
            (np.array([1, "a", None, [2]], dtype=object), '[1,"a",null,[2]]'),
            (
                np.array(["2026-01-02", "NaT"], dtype="datetime64[ns]"),
                '["2026-01-02T00:00:00.000000000",null]',
            ),
            (np.array([[1, 2]], dtype="timedelta64[h]"), '[["PT1H","PT2H"]]'),
            (np.array([(1, 0.5)], dtype=[("n", "i4"), ("x", "f4")]), '[{"n":1,"x":0.5}]'),
            (np.ma.array([1.0, 2.0], mask=[False, True]), "[1.0,null]"),
            (np.array([0.5, 2], dtype="longdouble"), "[0.5,2.0]"),
            (np.array([1.0, 2.0])[::-1], "[2.0,1.0]"),
        ]:
            self.assertEqual(json_of({"v": value}), '{"v":%s}' % expected)

    def test_float64_arrays_survive_bit_for_bit(self):
        rng = np.random.default_rng(1)
        bits = rng.integers(0, 2**64, 200000, dtype="uint64")
        values = bits.view("float64")
        values = np.where(np.isfinite(values), values, 0.5)
        for value in (values, values.reshape(-1, 4), list(values)):
            back = np.array(encode.decode(json_of({"v": value}).encode())["v"]).reshape(-1)
            self.assertTrue((back.view("uint64") == values.view("uint64")).all())

    def test_large_arrays_are_written_in_blocks(self):
        values = np.arange(1500000, dtype="float64") / 3
        back = np.array(encode.decode(json_of(values, 1 << 27).encode()))
        self.assertTrue((back == values).all())
        table = np.arange(1500000, dtype="int64").reshape(-1, 3)
        back = np.array(encode.decode(json_of(table, 1 << 27).encode()))
        self.assertTrue((back == table).all())
        wide = np.zeros((2, 600000))
        self.assertEqual(len(encode.decode(json_of(wide, 1 << 27).encode())[1]), 600000)

    def test_non_finite_elements_are_listed(self):
        text, pointers = encode.encode(
            {"m": np.array([[1.0, math.nan], [-math.inf, 2.0]]), "x": np.float32("inf")}, LIMIT, str
        )
        self.assertEqual(text.decode(), '{"m":[[1.0,"NaN"],["-Infinity",2.0]],"x":"Infinity"}')
        self.assertEqual(pointers, ["/m/0/1", "/m/1/0", "/x"])
        values = np.zeros(1200000)
        values[1199999] = math.nan
        self.assertEqual(encode.encode(values, 1 << 27, str)[1], ["/1199999"])

    def test_what_would_lose_something_is_refused(self):
        inexact = np.longdouble(1) / np.longdouble(3)
        self.assertIn("longdouble", refusal({"v": [inexact]})[1])
        self.assertEqual(refusal({"v": np.array([0.5, inexact])})[0], "/v/1")
        self.assertEqual(refusal({"v": np.array([b"x"])})[0], "/v/0")
        self.assertEqual(refusal({"v": {np.int64(1): 2}})[0], "/v")

    def test_text_of_numpy_may_be_a_key(self):
        self.assertEqual(json_of({np.str_("k"): 1}), '{"k":1}')

    def test_an_array_beyond_the_limit_is_stopped_before_it_is_unfolded(self):
        with self.assertRaises(encode.TooLarge) as caught:
            encode.encode(np.broadcast_to(0.5, (1 << 40,)), 1 << 20, str)
        self.assertEqual(caught.exception.measured, 1 << 41)


class Pandas(unittest.TestCase):
    def test_frames_are_split_into_columns_index_and_rows(self):
        frame = pd.DataFrame(
            {"n": [1, 2], "x": [0.5, math.nan], "t": pd.to_datetime(["2026-01-02", None])},
            index=["a", "b"],
        )
        text, pointers = encode.encode(frame, LIMIT, str)
        self.assertEqual(
            text.decode(),
            '{"columns":["n","x","t"],"index":["a","b"],'
            '"data":[[1,0.5,"2026-01-02T00:00:00"],[2,"NaN",null]]}',
        )
        self.assertEqual(pointers, ["/data/1/1"])
        self.assertEqual(
            json_of(pd.DataFrame(index=[1, 2])), '{"columns":[],"index":[1,2],"data":[[],[]]}'
        )

    def test_series_and_indexes(self):
        series = pd.Series(
            [1.5, 2.5], index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), name="s"
        )
        self.assertEqual(
            json_of({"s": series}), '{"s":{"index":[["a",1],["b",2]],"data":[1.5,2.5],"name":"s"}}'
        )
        self.assertEqual(json_of(pd.RangeIndex(3)), "[0,1,2]")
        self.assertEqual(json_of(pd.Series([1, None], dtype="Int64").array), "[1,null]")
        self.assertEqual(json_of(pd.Categorical(["x", "y", "x"])), '["x","y","x"]')

    def test_scalars(self):
        for value, expected in [
            (pd.NaT, "null"),
            (pd.NA, "null"),
            (
                pd.Timestamp("2026-01-02T03:04:05.000000007", tz="UTC"),
                '"2026-01-02T03:04:05.000000007+00:00"',
            ),
            (pd.Timedelta("1 days 00:00:00.000000001"), '"P1DT0.000000001S"'),
            (pd.Timedelta("-1s"), '"-PT1S"'),
            (pd.Period("2026-01", freq="M"), '"2026-01"'),
        ]:
            self.assertEqual(json_of([value]), "[%s]" % expected)

    def test_a_frame_of_floats_survives_bit_for_bit(self):
        rng = random.Random(3)
        rows = [[rng.uniform(-1e9, 1e9) for _ in range(3)] for _ in range(500)]
        back = encode.decode(json_of(pd.DataFrame(rows, columns=list("abc"))).encode())
        self.assertEqual(back["data"], rows)

    def test_an_interval_is_refused(self):
        self.assertEqual(refusal({"i": pd.Interval(0, 1)})[0], "/i")


if __name__ == "__main__":
    unittest.main()
