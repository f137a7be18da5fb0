"""What runs the documentation's code blocks notices what it is there to notice."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from docs_blocks import blocks, compare, kinds, shell, twins

PAGE = Path("page.md")


def read(text: str) -> list[blocks.Block]:
    return blocks.of(PAGE, text)


class Comparing(unittest.TestCase):
    def test_ids_times_and_sizes_are_those_of_another_run(self) -> None:
        shown = ["a 01a22385-f983-76c4-81b9-c11e7d872b69 at 2026-11-28T18:58:32.45Z", "run 2.23 ms · warm"]
        printed = ["a 01a22388-f9af-7703-8dfd-e090b9a90419 at 2027-01-01T00:00:00Z", "run  410 µs · cold"]
        self.assertTrue(compare.same(shown, printed))

    def test_numbers_of_a_result_are_the_same(self) -> None:
        self.assertFalse(compare.same(["stress  384.0  MPa"], ["stress  384.1  MPa"]))

    def test_an_ellipsis_stands_for_any_lines_or_a_part_of_one(self) -> None:
        self.assertTrue(compare.same(["a", "…", "z … y"], ["a", "b", "c", "z 1 y"]))
        self.assertFalse(compare.same(["a", "…", "z"], ["a", "b"]))

    def test_a_line_too_many_is_noticed(self) -> None:
        self.assertFalse(compare.same(["a"], ["a", "b"]))
        self.assertFalse(compare.same(["a", "b"], ["a"]))


class Reading(unittest.TestCase):
    def test_a_block_knows_its_line_title_and_marks(self) -> None:
        (block,) = read('# T\n\n<!-- exits: 2 -->\n```console title="x"\n$ false\n```\n')
        self.assertEqual((block.line, block.title, block.marks), (4, "x", {"exits": "2"}))

    def test_a_block_that_is_not_run_has_a_reason(self) -> None:
        with self.assertRaisesRegex(blocks.Wrong, "expected a reason"):
            read("<!-- not run: -->\n```sh\ntrue\n```\n")

    def test_a_mark_without_its_block_is_a_fault(self) -> None:
        with self.assertRaisesRegex(blocks.Wrong, "right below"):
            read("<!-- setup: true -->\n\ntext\n\n```sh\ntrue\n```\n")
        with self.assertRaisesRegex(blocks.Wrong, "found the end"):
            read("<!-- setup: true -->\n")

    def test_code_that_is_only_indented_is_a_fault(self) -> None:
        with self.assertRaisesRegex(blocks.Wrong, "expected a fence"):
            read("text\n\n    code\n")

    def test_a_block_says_its_language(self) -> None:
        (block,) = read("```\ncode\n```\n")
        with self.assertRaisesRegex(blocks.Wrong, "found none"):
            kinds.run(block, None)

    def test_commands_have_continuations_and_output(self) -> None:
        self.assertEqual(blocks.commands("$ a \\\n>   b\nout\n$ c\n"), [("a \\\n  b", ["out"]), ("c", [])])


class Typing(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        state = Path(folder.name)
        self.shell = shell.Shell(state, {"PATH": "/usr/bin:/bin:/usr/sbin"}, state)
        self.addCleanup(self.shell.close)

    def test_variables_stay_and_a_failure_amid_others_is_noticed(self) -> None:
        self.assertEqual(self.shell.run("x=5; echo $x"), (0, "5\n"))
        self.assertEqual(self.shell.run("false\necho $x"), (1, "5\n"))
        self.assertEqual(self.shell.run("true"), (0, ""))

    def test_a_command_that_ends_the_shell_is_a_fault(self) -> None:
        with self.assertRaisesRegex(blocks.Wrong, "ended the shell"):
            self.shell.run("exit 0")

    def test_the_machine_itself_cannot_be_changed(self) -> None:
        status, _ = self.shell.run("echo x > /etc/mecapy-docs")
        self.assertNotEqual(status, 0)
        self.assertFalse(Path("/etc/mecapy-docs").exists())


class Twins(unittest.TestCase):
    def test_comments_and_texts_may_differ_and_code_may_not(self) -> None:
        english = read('```python\nx = f("force")  # newtons\n```\n')
        french = read('```python\nx = f("effort")  # en newtons\n```\n')
        other = read('```python\ny = f("force")\n```\n')
        self.assertEqual(twins.differences(english, french), [])
        self.assertEqual(len(twins.differences(english, other)), 1)

    def test_a_block_too_many_is_noticed(self) -> None:
        one = read("```text\na\n```\n")
        self.assertEqual(len(twins.differences(one, [])), 1)


if __name__ == "__main__":
    unittest.main()
