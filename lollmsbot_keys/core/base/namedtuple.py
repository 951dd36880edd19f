"""The base of nouns, a cheaper `typing.NamedTuple`, and codes that people can read.

`typing.NamedTuple` compiles every annotation, although nobody asks for it, and a constructor for every class. That took
a quarter of all instructions of `lbk route -q`, which needs some sixty nouns. Here annotations stay text, and nouns of
as many fields share one compiled constructor. For mypy it is `typing.NamedTuple` itself.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from types import FunctionType

__all__ = ["Code", "NamedTuple"]

TYPE_CHECKING = False  # mypy knows the name; to import `typing` takes a quarter of the time that Python needs to start


class Code(StrEnum):
    """A word that programs know, such as `no_secret`.

    People read its `words`.
    """

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


class _Tuple(tuple[object, ...]):
    """The methods of every noun, the same as those of `collections.namedtuple`."""

    __slots__ = ()
    _fields = tuple[str, ...]()

    @classmethod
    def _make(cls, values: Iterable[object]) -> _Tuple:
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
        return made

    def _replace(self, /, **changes: object) -> _Tuple:
        made = self._make(map(changes.pop, self._fields, self))
        if changes:
            raise ValueError(f"Got unexpected field names: {list(changes)!r}")
        return made

    def _asdict(self) -> dict[str, object]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"

    def __getnewargs__(self) -> tuple[object, ...]:
        return tuple(self)


class _Noun(type):
    """The metaclass that makes tuples with named fields.

    The fields are the annotated names of a class, in that order.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, object]) -> type:
        if not bases:
            return super().__new__(cls, name, bases, body)
        fields: tuple[str, ...] = tuple(body["__annotations__"])  # type: ignore[arg-type]  # a dict, from the compiler
        defaults = {field: body[field] for field in fields if field in body}
        if bases != (NamedTuple,) or fields[len(fields) - len(defaults) :] != tuple(defaults):
            raise TypeError(f"{name}: a noun is a NamedTuple and nothing else, and its defaults come last")
        pattern = _pattern(len(fields))
        body |= zip(fields, (vars(pattern)[number] for number in pattern._fields), strict=True)
        body |= {"_fields": fields, "__match_args__": fields, "_field_defaults": defaults, "__slots__": ()}
        return type(name, (_Tuple,), {**body, "__new__": _constructor(pattern, name, fields, defaults)})


@cache
def _pattern(length: int) -> type[_Tuple]:
    """Make a named tuple of `length` fields with the names `_0`, `_1` and so on."""
    return namedtuple("_", [""] * length, rename=True)  # type: ignore[return-value]  # noqa: PYI024 - nouns add names, types


def _constructor(
    pattern: type[_Tuple], name: str, fields: tuple[str, ...], defaults: dict[str, object]
) -> FunctionType:
    """Copy the constructor of `pattern`, with the right names in its signature and its errors."""
    names = ("_cls", *fields)
    code = pattern.__new__.__code__.replace(co_varnames=names, co_qualname=f"{name}.__new__")
    return FunctionType(code, pattern.__new__.__globals__, "__new__", tuple(defaults.values()))


if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class NamedTuple(metaclass=_Noun):
        """The base of every noun."""
