"""The line of each table and value in a TOML text, which the standard parser does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Final

Path = tuple[str, ...]
_OPENING: Final = "[{"
_CLOSING: Final = "]}"


def line_numbers(text: str) -> dict[Path, int]:
    """Map the key path of every table header and value of a *valid* TOML text to its line, from 1.

    The parts of an inline table, and the entries of an array, have the line of the whole: ask `line_of`.
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    at, line, counted, text = 0, 1, 0, text.replace("\r\n", "\n")
    while at < len(text):
        if text[at] in " \t\n":
            at += 1
        elif text[at] == "#":
            at = _line_end(text, at)
        else:
            line, counted = line + text.count("\n", counted, at), at
            header = text[at] == "["
            start = at + (2 if text.startswith("[[", at) else int(header))
            end = _name_end(text, start, "]" if header else "=")
            path = _names(text[start:end])
            table, at = (path, _line_end(text, end)) if header else (table, _value_end(text, end + 1))
            whole = table if header else table + path
            for depth in range(1, len(whole) + 1):
                lines.setdefault(whole[:depth], line)
    return lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of the nearest table or value to `path` that has one."""
    for depth in range(len(path), 0, -1):
        if path[:depth] in lines:
            return lines[path[:depth]]
    return None


def key_path(path: Path) -> str:
    """Return a key path as TOML writes it: names that are not bare in quotes."""
    return ".".join(name if _is_bare(name) else _quoted(name) for name in path)


def _is_bare(name: str) -> bool:
    return bool(name) and all(sign.isascii() and (sign.isalnum() or sign in "-_") for sign in name)


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else f"\\U{ord(sign):08X}" for sign in escaped) + '"'


def _names(dotted: str) -> Path:
    """Return the names of a dotted key, unquoted by the real parser."""
    node: object = tomllib.loads(f"{dotted.strip()} = 0")
    names: list[str] = []
    while isinstance(node, dict):
        name, node = next(iter(node.items()))
        names.append(name)
    return tuple(names)


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _name_end(text: str, at: int, stop: str) -> int:
    while text[at] != stop:
        at = _string_end(text, at) if text[at] in "\"'" else at + 1
    return at


def _value_end(text: str, at: int) -> int:
    """Return the end of a value: the end of its line.

    Strings and brackets over several lines belong to it.
    """
    depth = 0
    while at < len(text):
        sign = text[at]
        if sign in "\"'":
            at = _string_end(text, at)
            continue
        if sign == "#":
            at = _line_end(text, at)
            continue
        if sign == "\n" and not depth:
            break
        depth += (sign in _OPENING) - (sign in _CLOSING)
        at += 1
    return at


def _string_end(text: str, at: int) -> int:
    quote = text[at]
    mark = quote * 3 if text.startswith(quote * 3, at) else quote
    at += len(mark)
    while not text.startswith(mark, at):
        at += 2 if quote == '"' and text[at] == "\\" else 1
    at += len(mark)
    while len(mark) == 3 and text.startswith(quote, at):  # """ may end in up to two quotes of its own
        at += 1
    return at
