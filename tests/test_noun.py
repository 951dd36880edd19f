"""Nouns are what `typing.NamedTuple` makes, made faster."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
from collections.abc import Callable

import pytest

from lollmsbot_keys.core.base.namedtuple import NamedTuple


class Price(NamedTuple):
    """What it costs."""

    seller: str
    amount: int
    note: str | None = None
    free: bool = False

    @property
    def doubled(self) -> int:
        return self.amount * 2

    @classmethod
    def nothing(cls) -> Price:
        return cls("nobody", 0)

    def risen(self) -> Price:
        return self._replace(amount=self.amount + 1)


class Twin(typing.NamedTuple):
    """What it costs."""

    seller: str
    amount: int
    note: str | None = None
    free: bool = False


class Other(NamedTuple):
    """As many fields as Price, with other names and defaults."""

    one: int
    two: int = 2
    three: int = 3
    four: int = 4


KINDS = pytest.mark.parametrize("kind", [Price, Twin])


@KINDS
def test_values_by_place_by_name_and_by_default(kind: type[Price]) -> None:
    made = kind("shop", amount=3, free=True)
    assert tuple(made) == ("shop", 3, None, True)
    assert (made.seller, made.amount, made.note, made.free) == tuple(made)
    assert hash(made) == hash(tuple(made))
    assert repr(made) == f"{kind.__name__}(seller='shop', amount=3, note=None, free=True)"
    assert made._asdict() == {"seller": "shop", "amount": 3, "note": None, "free": True}
    assert made._replace(note="dear") == ("shop", 3, "dear", True)
    assert type(made._replace(note="dear")) is type(kind._make(made)) is kind


@KINDS
def test_what_a_class_tells_of_itself(kind: type[Price]) -> None:
    assert kind._fields == kind.__match_args__ == ("seller", "amount", "note", "free")
    assert kind._field_defaults == {"note": None, "free": False}
    assert (kind.__doc__, kind.__module__) == ("What it costs.", __name__)
    assert list(inspect.signature(kind).parameters) == list(kind._fields)
    assert typing.get_type_hints(kind) == {"seller": str, "amount": int, "note": str | None, "free": bool}
    assert not hasattr(kind("shop", 1), "__dict__")


@KINDS
@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda kind: kind("shop"), TypeError, "missing 1 required positional argument: 'amount'"),
        (lambda kind: kind("shop", 1, None, 4, 5), TypeError, "takes from 3 to 5 positional arguments"),
        (lambda kind: kind("shop", 1, sort=2), TypeError, "unexpected keyword argument 'sort'"),
        (lambda kind: kind("shop", 1, seller="me"), TypeError, "multiple values for argument 'seller'"),
        # A TypeError of typing's own from Python 3.13 on.
        (lambda kind: kind("shop", 1)._replace(sort=2), (TypeError, ValueError), r"unexpected field names: \['sort'\]"),
        (lambda kind: kind._make(["shop"]), TypeError, "Expected 4 arguments, got 1"),
        (lambda kind: setattr(kind("shop", 1), "amount", 2), AttributeError, "."),
        (lambda kind: setattr(kind("shop", 1), "sort", 2), AttributeError, "."),
    ],
)
def test_mistakes(
    kind: type[Price],
    wrong: Callable[[type[Price]], object],
    error: type[Exception] | tuple[type[Exception], ...],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        wrong(kind)


@KINDS
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])  # noqa: S301
def test_copies(kind: type[Price], again: Callable[[Price], Price]) -> None:
    made = kind("shop", 3)
    assert again(made) == made
    assert type(again(made)) is kind


def test_methods_properties_and_patterns() -> None:
    assert Price.nothing().risen().risen().doubled == 4
    match Price("shop", 7):
        case Price(seller, amount):
            assert (seller, amount) == ("shop", 7)


def test_nouns_of_one_length_keep_their_own_names_and_defaults() -> None:
    assert repr(Other(1)) == "Other(one=1, two=2, three=3, four=4)"
    assert repr(Price("shop", 1)) == "Price(seller='shop', amount=1, note=None, free=False)"
    assert not hasattr(Other(1), "seller")
    with pytest.raises(TypeError, match=r"Other.__new__\(\)"):
        Other(seller="shop")  # type: ignore[call-arg]


def test_a_noun_is_nothing_else() -> None:
    make: Callable[..., type] = type(NamedTuple)
    with pytest.raises(TypeError, match="nothing else"):
        make("Mixed", (NamedTuple, Exception), {"__annotations__": {"a": "int"}})
    with pytest.raises(TypeError, match="come last"):
        make("Late", (NamedTuple,), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})
