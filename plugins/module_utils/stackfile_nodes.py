# Copyright: (c) 2026, Trust Stack
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read YAML as nodes, so that every mistake can be told with its line, its key path and its mend."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml

SHOWN = 5
TAB = re.compile(r"^\s*\t")
# what to write for a key that is missing
EXAMPLES = {
    "plugin": "trust.stack.stack",
    "stack": "local",
    "provider": "podman",
    "zones": "[a, b]",
    "layers": "{lb: 2, app: 2}",
    "instances": "2",
    "name": "app-a-1",
    "zone": "a",
    "host": "192.0.2.11",
    "from": '"09:30"',
    "to": '"12:00"',
    "at": '"2027-03-14 10:00"',
    "for": "90 min",
}
KINDS = {"int": "number", "float": "number", "bool": "yes/no value", "timestamp": "date"}


@dataclass(frozen=True)
class Problem:
    """One mistake in a file: where it is, what is wrong and how to mend it."""

    line: int
    path: str
    what: str
    found: str
    expected: str
    mend: str


class StackFileError(Exception):
    """Every mistake found in one file; as text it shows the first few, in the order of their lines."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__(str(self))

    def __str__(self) -> str:
        number = len(self.problems)
        lines = [f"the stack cannot be read: {number} mistake{'' if number == 1 else 's'}"]
        for one in self.problems[:SHOWN]:
            where = f"{self.file}:{one.line}: "
            lines += [
                "",
                where + (f"{one.path}: " if one.path else "") + one.what,
                f"    found:    {one.found}",
                f"    expected: {one.expected}",
                f"    mend:     {one.mend}",
            ]
        if number > SHOWN:
            lines += ["", f"... and {number - SHOWN} more further down in this file"]
        return "\n".join(lines)


def nearest(word: str, known: Iterable[str], also: Mapping[str, str] | None = None) -> str:
    """The known word that was most likely meant, or nothing."""
    import difflib  # only a mistake needs it, and every run pays for an import

    plain, known = word.lower().replace("-", "_"), list(known)
    if also and also.get(plain) in known:
        return also[plain]
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.6)
    return close[0] if close else ""


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def show(node: yaml.Node) -> str:
    """What stands in the file, in words."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list" if node.value else "an empty list"
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return "nothing"
    text = str(node.value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f'the {KINDS[kind]} "{text}"' if kind in KINDS else f'"{text}"'


def compose(text: str, file: str) -> yaml.MappingNode:
    """The root mapping of a YAML document; a StackFileError when there is none."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except RecursionError:
        raise StackFileError(file, [Problem(1, "", "too deeply nested", "nested brackets", "a stack", "remove them")]) from None
    except yaml.YAMLError as error:
        raise StackFileError(file, [_yaml_problem(text, error)]) from None
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        problem = Problem(1, "", "the file is empty", "nothing", "a stack", "copy inventories/local/stack.yml and change it")
        raise StackFileError(file, [problem])
    if not isinstance(root, yaml.MappingNode):
        what = "this is not a stack"
        problem = Problem(line_of(root), "", what, show(root), "keys with values", 'begin with "plugin: trust.stack.stack"')
        raise StackFileError(file, [problem])
    return root


def _yaml_problem(text: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    line = mark.line + 1 if mark else text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
    lines = text.splitlines() or [""]
    for number in range(min(line, len(lines)), 0, -1):
        if TAB.match(lines[number - 1]):
            what = "a tab in the indentation"
            return Problem(number, "", what, "a tab", "spaces only", "replace the tab by two spaces")
    there = lines[min(line, len(lines)) - 1].strip()
    found = f'"{there[:60]}"' if there.isprintable() and there else "something that cannot be read"
    reason = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable")
    mend = "look at this line and the one above: indentation, colons, quotes, brackets"
    return Problem(line, "", f"this is not valid YAML ({reason})", found, "valid YAML", mend)


class Reader:
    """Takes values out of nodes and notes what is wrong with them; a value that is wrong is None."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def note(self, node: yaml.Node, path: str, what: str, expected: str, mend: str, found: str | None = None) -> None:
        self.problems.append(Problem(line_of(node), path, what, show(node) if found is None else found, expected, mend))

    def repeated(self, node: yaml.Node, path: str = "", seen: set[int] | None = None) -> None:
        """Note every key that stands twice in one mapping, at any depth: YAML would let the last one win."""
        seen = set() if seen is None else seen
        if id(node) in seen:  # an alias: each node is looked at once, also in a circle
            return
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.repeated(item, f"{path}[{index}]", seen)
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                name = str(key.value) if isinstance(key, yaml.ScalarNode) else show(key)
                here = f"{path}.{name}" if path else name
                if name in first:
                    found = f'a second "{name}"; the first is on line {first[name]}'
                    self.note(key, here, "this key stands twice", "each key once", "remove or rename one of them", found)
                first.setdefault(name, line_of(key))
                self.repeated(value, here, seen)

    def mapping(
        self,
        node: yaml.Node,
        path: str,
        known: Mapping[str, bool],
        also: Mapping[str, str] | None = None,
        noun: str = "key",
    ) -> dict[str, yaml.Node]:
        """The known keys of a mapping and their nodes; `known` says of each key whether it must be there."""
        expected = f"one of: {', '.join(known)}"
        if not isinstance(node, yaml.MappingNode):
            self.note(node, path, f"here must be {noun}s and their values", expected, f'write lines "{noun}: value"')
            return {}
        here: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else show(key)
            if name in known:
                here.setdefault(name, value)
                continue
            near = nearest(name, known, also)
            mend = f'did you mean "{near}"?' if near else "remove it, or write one of these"
            self.note(key, f"{path}.{name}" if path else name, f"there is no such {noun}", expected, mend, f'"{name}"')
        for name in (name for name, needed in known.items() if needed and name not in here):
            what = f'the {noun} "{name}" is missing'
            line = f"{name}: {EXAMPLES.get(name, '...')}"
            self.note(node, path, what, f'"{line}"', f"add it{' to ' + path if path else ' at the left margin'}", "nothing")
        return here

    def items(self, node: yaml.Node, path: str, expected: str, mend: str) -> list[yaml.Node] | None:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.note(node, path, "this must be a list", expected, mend)
        return None

    def text(self, node: yaml.Node, path: str, pattern: re.Pattern[str], expected: str) -> str | None:
        """A text that matches the whole pattern."""
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str":
            if pattern.fullmatch(node.value):
                return str(node.value)
            plain = re.sub(r"[^a-z0-9]+", "-", node.value.lower()).lstrip("-0123456789").rstrip("-")
            mend = f'write for example "{plain}"' if pattern.fullmatch(plain) else "choose another"
            self.note(node, path, "this cannot be used here", expected, mend)
            return None
        scalar = isinstance(node, yaml.ScalarNode) and node.tag.rpartition(":")[2] in KINDS
        mend = f'put it in quotes: "{node.value}"' if scalar else "write one word"
        self.note(node, path, "this must be a text", expected, mend)
        return None

    def choice(self, node: yaml.Node, path: str, choices: Iterable[str], also: Mapping[str, str] | None = None) -> str | None:
        choices = tuple(choices)
        value = str(node.value) if isinstance(node, yaml.ScalarNode) else ""
        if value in choices:
            return value
        near = nearest(value, choices, also)
        mend = f'did you mean "{near}"?' if near else f'write for example "{choices[0]}"'
        self.note(node, path, "this is not one of the choices", f"one of: {', '.join(choices)}", mend)
        return None

    def count(self, node: yaml.Node, path: str, most: int, least: int = 1) -> int | None:
        """A whole number from `least` to `most`."""
        expected = f"a whole number from {least} to {most}"
        whole = isinstance(node, yaml.ScalarNode) and re.fullmatch(r"[+-]?[0-9]{1,9}", node.value)
        if not whole:
            self.note(node, path, "this must be a number", expected, "write for example 2")
        elif node.tag != "tag:yaml.org,2002:int":
            self.note(node, path, "this must be a number", expected, f"write {node.value} without quotes")
        elif not least <= int(node.value) <= most:
            mend = "remove the line if you do not want it" if int(node.value) < least else "write a smaller number"
            self.note(node, path, "this number cannot be", expected, mend)
        else:
            return int(node.value)
        return None

    def flag(self, node: yaml.Node, path: str) -> bool | None:
        """True or false; YAML's other words for them are taken too."""
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:bool":
            return str(node.value).lower() in ("true", "yes", "on")
        quoted = isinstance(node, yaml.ScalarNode) and str(node.value).lower() in ("true", "false")
        self.note(node, path, "this must be true or false", "true or false", f"write {node.value} without quotes" if quoted else "write true")
        return None

    def address(self, node: yaml.Node, path: str) -> str:
        try:
            if isinstance(node, yaml.ScalarNode):
                return str(ipaddress.IPv4Address(node.value))
        except ValueError:
            pass
        expected = "an IPv4 address such as 192.0.2.10"
        self.note(node, path, "this is not an address", expected, "write the machine's address")
        return ""
