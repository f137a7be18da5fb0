"""The encoder with the standard library alone: `python -m unittest test_encode`."""

import enum
import json
import math
import random
import struct
import unittest
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath

from runner import LIMIT, encode, json_of, refusal

Point = namedtuple("Point", "x y")


@dataclass
class Bolt:
    size: str
    area: float
    grades: tuple


class Grade(enum.Enum):
    HIGH = "8.8"


class Code(enum.IntEnum):
    OK = 3


class Name(str):
    pass


def bits(value):
    return struct.pack("<d", value)


def random_float(rng):
    kind = rng.random()
    if kind < 0.5:
        value = struct.unpack("<d", rng.getrandbits(64).to_bytes(8, "little"))[0]
        return value if math.isfinite(value) else 0.1
    if kind < 0.6:
        return rng.choice([0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 1e16, 0.1, 1e-7])
    return rng.uniform(-1e6, 1e6)


def random_value(rng, depth):
    kind = rng.randrange(9 if depth else 6)
    if kind == 0:
        return random_float(rng)
    if kind == 1:
        return rng.getrandbits(rng.choice([3, 53, 64, 300])) * rng.choice([1, -1])
    if kind == 2:
        return "".join(
            chr(rng.choice([9, 10, 34, 92, 0, 65, 233, 0x20AC, 0x1F600])) for _ in range(5)
        )
    if kind == 3:
        return rng.choice([True, False, None])
    if kind == 4:
        return [random_float(rng) for _ in range(rng.randrange(5))]
    if kind == 5:
        return [rng.getrandbits(70) for _ in range(rng.randrange(5))]
    if kind == 6:
        return {"k/%d~é\n" % at: random_value(rng, depth - 1) for at in range(rng.randrange(4))}
    values = [random_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return values if kind == 7 else tuple(values)


def same(left, right):
    """Equal types and bits; tuples come back as lists."""
    todo = [(left, right)]
    while todo:
        left, right = todo.pop()
        if isinstance(left, (list, tuple)):
            if not isinstance(right, list) or len(left) != len(right):
                return False
            todo += zip(left, right)
        elif isinstance(left, dict):
            if list(left) != list(right):
                return False
            todo += ((left[key], right[key]) for key in left)
        elif type(left) is not type(right):
            return False
        elif type(left) is float:
            if bits(left) != bits(right):
                return False
        elif left != right:
            return False
    return True


class Exactness(unittest.TestCase):
    def test_everything_plain_comes_back_bit_for_bit(self):
        rng = random.Random(20260101)
        for _ in range(3000):
            value = random_value(rng, 6)
            fast = json_of(value)
            self.assertTrue(same(value, encode.decode(fast.encode())), value)
            # A value that isn't plain sends the rest through the writer.
            slow = json_of({"v": value, "z": Fraction(1, 3)})
            self.assertEqual(slow, '{"v":%s,"z":"1/3"}' % fast)

    def test_long_lists_come_back_bit_for_bit(self):
        rng = random.Random(7)
        values = [random_float(rng) for _ in range(50000)]
        for value in (values, {"v": values, "z": Fraction(1, 3)}):
            back = encode.decode(json_of(value).encode())
            self.assertTrue(same(values, back if value is values else back["v"]))

    def test_special_floats_keep_their_bits(self):
        self.assertEqual(
            json_of([0.0, -0.0, 5e-324, 1e22, 1e16, 0.1, 1.7976931348623157e308]),
            "[0.0,-0.0,5e-324,1e+22,1e+16,0.1,1.7976931348623157e+308]",
        )

    def test_ints_of_any_size_survive_both_ways(self):
        huge = 7**20000
        for value in (huge, [huge, -huge], {"a": [1, huge], "z": Fraction(1, 3)}):
            text = json_of(value)
            back = encode.decode(text.encode())
            if isinstance(value, dict):
                self.assertEqual(back["a"], value["a"])
            else:
                self.assertEqual(back, value)

    def test_bools_and_none_are_no_numbers(self):
        self.assertEqual(json_of([True, 1, None, False, 0]), "[true,1,null,false,0]")

    def test_text_is_utf8_and_not_escaped_beyond_need(self):
        self.assertEqual(json_of('é€😀\u2028\x00"\\\n'), '"é€😀\u2028\\u0000\\"\\\\\\n"')


class NonFinite(unittest.TestCase):
    def test_they_become_strings_and_are_listed_in_order(self):
        value = {"a/b": [1.0, math.nan, -math.inf], "~": {"c": math.inf}, "d": math.nan}
        text, pointers = encode.encode(value, LIMIT, str)
        self.assertEqual(
            text.decode(), '{"a/b":[1.0,"NaN","-Infinity"],"~":{"c":"Infinity"},"d":"NaN"}'
        )
        self.assertEqual(pointers, ["/a~1b/1", "/a~1b/2", "/~0/c", "/d"])
        self.assertEqual(encode.encode(math.nan, LIMIT, str), (b'"NaN"', [""]))

    def test_the_index_is_right_beyond_the_first_block(self):
        values = [0.5] * 20000
        values[19999] = math.inf
        self.assertEqual(encode.encode(values, LIMIT, str)[1], ["/19999"])

    def test_those_of_decimal_and_complex_are_listed_too(self):
        text, pointers = encode.encode([Decimal("-Infinity"), complex(math.nan, 1)], LIMIT, str)
        self.assertEqual(text.decode(), '["-Infinity",{"real":"NaN","imag":1.0}]')
        self.assertEqual(pointers, ["/0", "/1/real"])


class Encodings(unittest.TestCase):
    def test_each_type_of_the_standard_library_has_its_text(self):
        zone = timezone(timedelta(hours=2))
        for value, expected in [
            (datetime(2026, 1, 2, 3, 4, 5, 600), '"2026-01-02T03:04:05.000600"'),
            (datetime(2026, 1, 2, tzinfo=zone), '"2026-01-02T00:00:00+02:00"'),
            (date(2026, 1, 2), '"2026-01-02"'),
            (time(3, 4, 5), '"03:04:05"'),
            (timedelta(days=1, hours=2, seconds=3, microseconds=4500), '"P1DT2H3.0045S"'),
            (timedelta(0), '"PT0S"'),
            (timedelta(minutes=-1), '"-PT1M"'),
            (timedelta(days=2), '"P2D"'),
            (Decimal("0.10"), '"0.10"'),
            (Decimal("1E+30"), '"1E+30"'),
            (Fraction(1, 3), '"1/3"'),
            (1 - 0.5j, '{"real":1.0,"imag":-0.5}'),
            (Grade.HIGH, '"8.8"'),
            (Code.OK, "3"),
            (Name("n"), '"n"'),
            (Point(1, 2.5), "[1,2.5]"),
            (Bolt("M20", 245.0, (Grade.HIGH,)), '{"size":"M20","area":245.0,"grades":["8.8"]}'),
            (OrderedDict([("b", 1), ("a", 2)]), '{"b":1,"a":2}'),
            ({Name("k"): 1}, '{"k":1}'),
            ((), "[]"),
            ({}, "{}"),
            ([[], {}, ()], "[[],{},[]]"),
        ]:
            self.assertEqual(json_of(value), expected)
            self.assertEqual(json_of([value, Fraction(1)]), '[%s,"1/1"]' % expected)

    def test_paths_are_turned_into_references(self):
        found = []

        def files(path):
            found.append(path)
            return "ref:" + path.name

        value = {"plot": PurePosixPath("/outputs/plot.png"), "n": 1}
        self.assertEqual(json_of(value, files=files), '{"plot":"ref:plot.png","n":1}')
        self.assertEqual(found, [PurePosixPath("/outputs/plot.png")])
        self.assertEqual(json_of(Path("a")), '"a"')


class Refusals(unittest.TestCase):
    def test_what_has_no_encoding_is_named_with_its_place_and_a_remedy(self):
        for value, remedy in [
            ({1, 2}, "sorted(value)"),
            (frozenset(), "sorted(value)"),
            (b"x", "outputs()"),
            (bytearray(), "outputs()"),
            ((item for item in ()), "list(value)"),
            (map(str, []), "list(value)"),
            (range(3), "list(value)"),
            (deque(), "list(value)"),
            ({}.keys(), "list(value)"),
            (len, "call it"),
            (lambda: 1, "call it"),
            (object(), "numbers, text"),
            (int, "numbers, text"),
            (ValueError("x"), "numbers, text"),
            (Bolt, "numbers, text"),
            (math, "numbers, text"),
        ]:
            pointer, message = refusal({"a": [1, {"b/c": value}]})
            self.assertEqual(pointer, "/a/1/b~1c")
            self.assertIn("/a/1/b~1c", message)
            self.assertIn(remedy, message)
        self.assertIn("a set at the top", refusal({1})[1])

    def test_keys_other_than_text_are_refused(self):
        for key in (1, 1.5, True, None, (1, 2), b"k"):
            pointer, message = refusal({"a": {key: 0}})
            self.assertEqual(pointer, "/a")
            self.assertIn("str(key)", message)

    def test_keys_that_become_the_same_text_are_refused(self):
        class Own(str):
            def __hash__(self):
                return 1

            def __eq__(self, other):
                return self is other

        self.assertIn("two keys", refusal({Own("k"): 1, Own("k"): 2})[1])

    def test_half_surrogate_pairs_are_refused_in_values_and_keys(self):
        pointer, message = refusal({"a": ["ok", "x\ud800"]})
        self.assertEqual(pointer, "/a/1")
        self.assertIn("surrogate", message)
        pointer, message = refusal({"a\ud800": 1})
        pointer.encode(), message.encode()

    def test_a_refusal_reads_in_french_too(self):
        for value, french in (
            ({"a": {1}}, "la valeur de type set en /a ne s'écrit pas en JSON ; un ensemble"),
            ({1}, "en sa racine ne s'écrit pas"),
            ({"100 %s": object()}, "de type object en /100 %s ne"),
            ({"%d": 1, 5: 1}, "l'objet en sa racine a la clé 5 de type int"),
            ({"t": "x\ud800"}, "le texte en /t contient une moitié de paire"),
        ):
            with self.assertRaises(encode.Unencodable) as refused:
                encode.encode(value, LIMIT, str)
            self.assertIn(french, refused.exception.french)

    def test_cycles_are_found(self):
        value = {"a": []}
        value["a"].append(value)
        self.assertEqual(refusal(value)[0], "/a/0")
        bolt = Bolt("M20", 1.0, ())
        bolt.grades = [bolt]
        self.assertIn("contains itself", refusal(bolt)[1])

    def test_the_same_list_twice_is_no_cycle(self):
        part = [Fraction(1, 2)]
        self.assertEqual(json_of([part, part]), '[["1/2"],["1/2"]]')

    def test_a_deep_result_is_refused_with_a_shortened_pointer(self):
        value = []
        for _ in range(100000):
            value = [value]
        pointer, message = refusal(value)
        self.assertLess(len(pointer), 400)
        self.assertIn("deeper than 500", message)
        while value:
            value = value.pop()

    def test_the_deepest_result_allowed_is_written_and_can_be_read(self):
        value = 1
        for _ in range(encode.MAX_DEPTH):
            value = {"d": value}
        self.assertEqual(json.loads(json_of(value)), value)
        self.assertIn("deeper", refusal([value])[1])


class Limits(unittest.TestCase):
    def measured(self, value, limit):
        try:
            encode.encode(value, limit, str)
        except encode.TooLarge as error:
            self.assertEqual(error.limit, limit)
            self.assertIn(str(limit), str(error))
            return error.measured
        raise AssertionError("was encoded")

    def test_the_limit_holds_to_the_byte(self):
        for value in (
            {"a": [1.5, "é", None]},
            {"a": [Fraction(1, 3), {"b": [1, 2]}]},
            ["x" * 1000, [1.25] * 500],
        ):
            size = len(encode.encode(value, LIMIT, str)[0])
            self.assertEqual(len(encode.encode(value, size, str)[0]), size)
            self.assertEqual(self.measured(value, size - 1), size)

    def test_a_small_object_that_unfolds_to_a_huge_result_is_stopped_early(self):
        value = ["x" * 1000000] * 1000
        for _ in range(8):
            value = [value] * 10
        self.assertLess(self.measured(value, 1 << 20), 4 << 20)

    def test_a_huge_int_is_stopped_before_its_digits_are_worked_out(self):
        self.assertGreater(self.measured(1 << (1 << 28), 1 << 20), 1 << 20)
        self.assertGreater(self.measured([1 << (1 << 28)], 1 << 20), 1 << 20)

    def test_pointers_of_non_finite_numbers_count(self):
        value = {"k" * 1000: [math.nan] * 2000}
        self.assertGreater(self.measured(value, 100000), 100000)


class Decoding(unittest.TestCase):
    def test_floats_round_as_python_does(self):
        self.assertEqual(encode.decode(b"[0.1,1e-400,1]"), [0.1, 0.0, 1])
        self.assertIs(type(encode.decode(b"1.0")), float)

    def test_what_is_no_json_is_refused(self):
        for text in (b"NaN", b"[Infinity]", b"\xff", b"{", b"1 2", b""):
            with self.assertRaises(ValueError):
                encode.decode(text)


if __name__ == "__main__":
    unittest.main()
