"""The schema of the configuration: its tables and names, and the kind of value each holds.

Only a person's own file is checked against it (pydantic takes 0.1 s to import); a test checks the shipped defaults.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lollmsbot_keys.edges.config import validators

# `Any` as pydantic's word for "as it is": every value is checked by the function beside it, and never changed.
Flag = Annotated[Any, AfterValidator(validators.flag)]
Calls = Annotated[Any, AfterValidator(validators.calls)]
Tokens = Annotated[Any, AfterValidator(validators.tokens)]
Priority = Annotated[Any, AfterValidator(validators.priority)]
Amount = Annotated[Any, AfterValidator(validators.amount)]
Percent = Annotated[Any, AfterValidator(validators.percent)]
Percents = Annotated[Any, AfterValidator(validators.percents)]
Week = Annotated[Any, AfterValidator(validators.week)]
TwoPrices = Annotated[Any, AfterValidator(validators.two_prices)]
Duration = Annotated[Any, AfterValidator(validators.duration)]
Abilities = Annotated[Any, AfterValidator(validators.abilities)]
Day = Annotated[Any, AfterValidator(validators.day)]
Name = Annotated[Any, AfterValidator(validators.name)]
ModelName = Annotated[Any, AfterValidator(validators.model_name)]
ModelNameOrNone = Annotated[Any, AfterValidator(validators.model_name_or_none)]
OpenRouterId = Annotated[Any, AfterValidator(validators.openrouter_id)]
PrivacyLevel = Annotated[Any, AfterValidator(validators.privacy)]
BalanceWord = Annotated[Any, AfterValidator(validators.balance)]
KeyProvider = Annotated[Any, AfterValidator(validators.key_provider)]
Timezone = Annotated[Any, AfterValidator(validators.timezone)]
SecretReference = Annotated[Any, AfterValidator(validators.secret_reference)]
Endpoints = Annotated[Any, AfterValidator(validators.endpoints)]
Hosts = Annotated[Any, AfterValidator(validators.hosts)]
ModelNames = Annotated[Any, AfterValidator(validators.model_names)]
Urls = Annotated[Any, AfterValidator(validators.urls)]
File = Annotated[Any, AfterValidator(validators.file)]

_ABSENT = Field(default=None)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class RoutingTable(_Table):
    prefer_ollama: Flag
    ollama_failover: Flag
    openrouter_fallback: Flag
    prefer_free_tier: Flag
    ollama_usage_threshold_percent: Percent
    default_model: ModelName
    local_model: ModelNameOrNone
    default_privacy: PrivacyLevel
    follow_successors: Flag
    max_output_tokens: Tokens
    unknown_price_usd_per_mtok: TwoPrices
    template_tokens: Tokens


class CooldownsTable(_Table):
    rate_limited: Duration
    unavailable: Duration
    longest: Duration


class AlertsTable(_Table):
    at_percent: Percents
    urls: Urls


class RotationTable(_Table):
    grace: Duration


class LogTable(_Table):
    file: File = _ABSENT


class OllamaTable(_Table):
    endpoints: Endpoints
    max_calls_per_hour: Calls
    daily_budget_usd: Amount
    balance: BalanceWord
    monthly_budget_usd: Amount = _ABSENT
    trusted_hosts: Hosts = _ABSENT


class OpenRouterTable(OllamaTable):
    free_models: ModelNames
    management_secret: SecretReference = _ABSENT


class LocalTable(_Table):
    endpoints: Endpoints


class ProvidersTable(_Table):
    ollama: OllamaTable
    openrouter: OpenRouterTable
    local: LocalTable


class KeyTable(_Table):
    provider: KeyProvider
    priority: Priority = _ABSENT
    secret: SecretReference = _ABSENT
    account: Name = _ABSENT
    daily_budget_usd: Amount = _ABSENT
    monthly_budget_usd: Amount = _ABSENT
    rotate_week: Week = _ABSENT
    reserved: Flag = _ABSENT
    enabled: Flag = _ABSENT


class ModelTable(_Table):
    rc2: Flag = _ABSENT
    openrouter: OpenRouterId = _ABSENT
    successor: ModelName = _ABSENT
    stand_in: ModelName = _ABSENT
    retired_on: Day = _ABSENT
    local_only: Flag = _ABSENT
    can: Abilities = _ABSENT
    context_tokens: Tokens = _ABSENT
    input_usd_per_mtok: Amount = _ABSENT
    output_usd_per_mtok: Amount = _ABSENT
    cached_input_usd_per_mtok: Amount = _ABSENT
    cache_write_usd_per_mtok: Amount = _ABSENT
    dearest_input_usd_per_mtok: Amount = _ABSENT
    dearest_output_usd_per_mtok: Amount = _ABSENT
    priced_on: Day = _ABSENT
    template_tokens: Tokens = _ABSENT


class RoleTable(_Table):
    model: ModelName
    key: Name = _ABSENT
    privacy: PrivacyLevel = _ABSENT
    free: Flag = _ABSENT


class Root(_Table):
    timezone: Timezone
    catalogue_read_on: Day
    routing: RoutingTable
    cooldowns: CooldownsTable
    alerts: AlertsTable
    rotation: RotationTable
    log: LogTable
    providers: ProvidersTable
    keys: dict[str, KeyTable]
    models: dict[str, ModelTable]
    pillars: dict[str, dict[str, RoleTable]]


_TABLES: dict[tuple[str, ...], type[_Table]] = {
    (): Root,
    ("routing",): RoutingTable,
    ("cooldowns",): CooldownsTable,
    ("alerts",): AlertsTable,
    ("rotation",): RotationTable,
    ("log",): LogTable,
    ("providers",): ProvidersTable,
    ("providers", "ollama"): OllamaTable,
    ("providers", "openrouter"): OpenRouterTable,
    ("providers", "local"): LocalTable,
    ("keys", "*"): KeyTable,
    ("models", "*"): ModelTable,
    ("pillars", "*", "*"): RoleTable,
}
Path = tuple[str, ...]


def faults(tree: object) -> list[tuple[Path, str]]:
    """Return every value that does not fit: its key path, and the fault.

    The list is empty if nothing is wrong.
    """
    try:
        Root.model_validate(tree)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        paths = [tuple(map(str, fault["loc"])) for fault in found]
        return [
            (path, _message(fault["type"], fault["msg"], fault.get("ctx", {}).get("error"), path, tree))
            for path, fault in zip(paths, found, strict=True)
        ]
    return []


def _message(kind: str, words: str, error: object, path: Path, tree: object) -> str:
    given = _at(tree, path)
    match kind:
        case "value_error":
            return str(error) if isinstance(error, validators.Unechoed) else f"{error}, got {validators.show(given)}"
        case "missing":
            return "is missing" + _nearest_table(path, tree)
        case "extra_forbidden":
            return f"unknown name{_hint(path)}"
        case "model_type" | "dict_type" | "model_attributes_type":
            return f"expected a table, got {validators.show(given)}"
        case _:  # pragma: no cover - a new pydantic may say something else; then its own words must do
            return words


def _hint(path: Path) -> str:
    """Return the nearest right name in the same table, else the table where this very name belongs."""
    *parent, name = path
    fields = _fields(tuple(parent))
    if near := validators.nearest(name, fields):
        return near
    homes = [".".join(where) for where, table in _TABLES.items() if name in table.model_fields]
    if homes:
        return (
            f"; it belongs in [{homes[0]}]" if homes[0] else "; it belongs at the top of the file, before any [table]"
        )
    return f"; known here: {', '.join(fields)}"


def _fields(parent: Path) -> list[str]:
    for where, table in _TABLES.items():
        if len(where) == len(parent) and all(one in ("*", other) for one, other in zip(where, parent, strict=True)):
            return list(table.model_fields)
    return []


def _nearest_table(path: Path, tree: object) -> str:
    """Return a hint for a table that lacks a name: perhaps its own name was misspelt."""
    for depth in range(len(path) - 1, 1, -1):
        parent = _at(tree, path[: depth - 1])
        name = path[depth - 1]
        others = [other for other in parent if other != name] if isinstance(parent, dict) else []
        if near := validators.nearest(name, others):
            return f" (for {name}{near})"
    return ""


def _at(tree: object, path: Path) -> object:
    for name in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree
