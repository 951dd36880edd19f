"""The `Config` that the core reads, built from a checked TOML tree.

Between the two stands the compiled tree (plain JSON). Fresh and cached configurations take the same last step, so they
cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, timedelta, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from lollmsbot_keys.core.model.config import (
    Alerts,
    Balance,
    Config,
    Cooldowns,
    Key,
    Model,
    Pillar,
    Price,
    Privacy,
    Provider,
    ProviderSettings,
    Role,
    Rotation,
    Routing,
)

if TYPE_CHECKING:
    from lollmsbot_keys.edges.config.merge import Table

Fields = Mapping[str, object]
Compiled = dict[str, object]
"""JSON values only: durations in seconds, amounts as decimal text, dates in ISO form, keys as a list in their order."""

_HALVES = ("input_usd_per_mtok", "output_usd_per_mtok")
_FURTHER = (
    "cached_input_usd_per_mtok",
    "cache_write_usd_per_mtok",
    "dearest_input_usd_per_mtok",
    "dearest_output_usd_per_mtok",
)
PRICE_PARTS = ("priced_on", *_FURTHER)
"""The fields of a price beside input and output."""


def compile_tree(tree: Table, own_prices: Iterable[str] = ()) -> Compiled:
    """Return the JSON form of a TOML tree that fits the schema and keeps the rules.

    Any other tree is a bug of the caller. `own_prices` names the models whose price is the user's own.
    """
    from lollmsbot_keys.core.base import durations  # a cached configuration is already compiled
    from lollmsbot_keys.edges.config.merge import by_priority

    keys = cast("dict[str, dict[str, object]]", tree["keys"])
    cooldowns = cast("dict[str, str]", tree["cooldowns"])
    rotation = cast("dict[str, str]", tree["rotation"])
    own = ("keys", "cooldowns", "rotation")
    plain = cast("Compiled", _plain({name: value for name, value in tree.items() if name not in own}))
    for table, values in (("cooldowns", cooldowns), ("rotation", rotation)):
        plain[table] = {name: durations.parse(value) // timedelta(seconds=1) for name, value in values.items()}
    plain["keys"] = [[name, _plain(keys[name])] for name in by_priority(keys)]
    plain["own_prices"] = list(own_prices)
    return plain


def own_prices(
    file: Mapping[str, object], defaults: Mapping[str, object], parts: tuple[str, ...] = (*_HALVES, *_FURTHER)
) -> list[str]:
    """Return the models for which the user's file names another price than the shipped one.

    Malformed parts of the file are skipped.
    """
    mine, shipped = file.get("models"), cast("Mapping[str, Fields]", defaults.get("models", {}))
    return [
        name
        for name, fields in (mine.items() if isinstance(mine, dict) else ())
        if isinstance(fields, dict)
        and any(part in fields and fields[part] != shipped.get(name, {}).get(part) for part in parts)
    ]


def without_parts(defaults: Table, file: Mapping[str, object]) -> Table:
    """Return the shipped defaults without the details of prices that the user's file replaces.

    The details are the date and the further prices.
    """
    from lollmsbot_keys.edges.config.merge import mended

    own = own_prices(file, defaults, _HALVES)
    return mended(defaults, [("models", name, part) for name in own for part in PRICE_PARTS], {})


def _plain(value: object) -> object:
    match value:
        case dict():
            return {name: _plain(entry) for name, entry in value.items()}
        case list():
            return [_plain(entry) for entry in value]
        case Decimal() | date():
            return str(value)
        case _:
            return value


def build(compiled: Mapping[str, object]) -> Config:
    """Build the configuration from a compiled tree.

    Raises:
        KeyError, TypeError, ValueError, ArithmeticError, AttributeError: `compiled` is not what `compile_tree` makes.
    """
    providers = cast("Mapping[str, Fields]", compiled["providers"])
    cooldowns = cast("Mapping[str, int]", compiled["cooldowns"])
    alerts = cast("Fields", compiled["alerts"])
    models = cast("Mapping[str, Fields]", compiled["models"])
    own = frozenset(cast("list[str]", compiled["own_prices"]))
    pillars = cast("Mapping[str, Mapping[str, Fields]]", compiled["pillars"])
    return Config(
        timezone=_timezone(cast("str", compiled["timezone"])),
        routing=_routing(cast("Fields", compiled["routing"])),
        cooldowns=Cooldowns(**{name: timedelta(seconds=seconds) for name, seconds in cooldowns.items()}),
        alerts=Alerts(_shares(alerts["at_percent"]), tuple(cast("list[str]", alerts["urls"]))),
        rotation=Rotation(timedelta(seconds=cast("Mapping[str, int]", compiled["rotation"])["grace"])),
        providers={provider: _provider(providers[provider]) for provider in Provider},
        keys=tuple(_key(name, fields) for name, fields in cast("list[tuple[str, Fields]]", compiled["keys"])),
        models={name: _model(name, fields, own_price=name in own) for name, fields in models.items()},
        pillars={name: _pillar(roles) for name, roles in pillars.items()},
        log_file=cast("str | None", cast("Fields", compiled["log"]).get("file")),
        catalogue_read_on=date.fromisoformat(cast("str", compiled["catalogue_read_on"])),
    )


def _shares(value: object) -> tuple[Decimal, ...]:
    """Read one share or several; one alone stands for itself and the whole budget.

    Nobody wants to hear of 80 % and not of the end.
    """
    shares = {Decimal(str(share)) for share in (value if isinstance(value, list) else (value, 100))}
    return tuple(sorted(shares))


def _timezone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # most people never leave UTC

    return ZoneInfo(name)


def _routing(fields: Fields) -> Routing:
    price_in, price_out = cast("list[int | str]", fields["unknown_price_usd_per_mtok"])
    return Routing(
        prefer_ollama=cast("bool", fields["prefer_ollama"]),
        ollama_failover=cast("bool", fields["ollama_failover"]),
        openrouter_fallback=cast("bool", fields["openrouter_fallback"]),
        prefer_free_tier=cast("bool", fields["prefer_free_tier"]),
        ollama_usage_threshold_percent=Decimal(str(fields["ollama_usage_threshold_percent"])),
        default_model=cast("str", fields["default_model"]),
        default_privacy=Privacy(cast("str", fields["default_privacy"])),
        follow_successors=cast("bool", fields["follow_successors"]),
        max_output_tokens=cast("int", fields["max_output_tokens"]),
        unknown_price=Price(Decimal(price_in), Decimal(price_out)),
        template_tokens=cast("int", fields["template_tokens"]),
        local_model=cast("str", fields["local_model"]),
    )


def _provider(fields: Fields) -> ProviderSettings:
    return ProviderSettings(
        endpoints=tuple(endpoint.rstrip("/") for endpoint in cast("list[str]", fields["endpoints"])),
        max_calls_per_hour=cast("int | None", fields.get("max_calls_per_hour")),
        daily_budget_usd=_amount(fields.get("daily_budget_usd")),
        balance=Balance(cast("str", fields.get("balance", Balance.ROUND_ROBIN))),
        free_models=tuple(cast("list[str]", fields.get("free_models", ()))),
        trusted_hosts=tuple(cast("list[str]", fields.get("trusted_hosts", ()))),
        monthly_budget_usd=_amount(fields.get("monthly_budget_usd")),
        management_secret=cast("str | None", fields.get("management_secret")),
    )


def _key(name: str, fields: Fields) -> Key:
    return Key(
        name=name,
        provider=Provider(cast("str", fields["provider"])),
        secret=cast("str", fields.get("secret", f"env:{name}")),
        account=cast("str | None", fields.get("account")),
        daily_budget_usd=_amount(fields.get("daily_budget_usd")),
        reserved=cast("bool", fields.get("reserved", False)),
        enabled=cast("bool", fields.get("enabled", True)),
        monthly_budget_usd=_amount(fields.get("monthly_budget_usd")),
        rotate_week=cast("int | None", fields.get("rotate_week")),
    )


def _model(name: str, fields: Fields, *, own_price: bool) -> Model:
    return Model(
        name,
        cast("bool", fields.get("rc2", False)),
        cast("str | None", fields.get("openrouter")),
        cast("str | None", fields.get("successor")),
        _price(fields),
        own_price,
        cast("int | None", fields.get("template_tokens")),
        _day(fields.get("retired_on")),
        cast("str | None", fields.get("stand_in")),
        cast("bool", fields.get("local_only", False)),
        tuple(cast("list[str]", fields.get("can", ()))),
        cast("int | None", fields.get("context_tokens")),
    )


def _price(fields: Fields) -> Price | None:
    per_input, per_output, *further = (_amount(fields.get(part)) for part in (*_HALVES, *_FURTHER))
    if per_input is None or per_output is None:
        return None
    return Price(per_input, per_output, _day(fields.get("priced_on")), *further)


def _day(value: object) -> date | None:
    return None if value is None else date.fromisoformat(cast("str", value))


def _pillar(roles: Mapping[str, Fields]) -> Pillar:
    built = {name: _role(fields) for name, fields in roles.items()}
    fallback = built.pop("fallback", None)
    return Pillar(built, fallback)


def _role(fields: Fields) -> Role:
    privacy = fields.get("privacy")
    return Role(
        cast("str", fields["model"]),
        cast("str | None", fields.get("key")),
        Privacy(cast("str", privacy)) if privacy is not None else None,
        free=cast("bool", fields.get("free", False)),
    )


def _amount(value: object) -> Decimal | None:
    return None if value is None else Decimal(cast("int | str", value))
