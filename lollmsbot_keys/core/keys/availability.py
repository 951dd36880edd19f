"""The survey of the configured models: which are still offered, where, and under which name instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date
from functools import partial

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Config, Model, Privacy, Provider, Role, match_name
from lollmsbot_keys.core.model.findings import ModelFinding, ModelStatus
from lollmsbot_keys.core.routing.succession import heir

LOCAL = "local"


class Market(NamedTuple):
    """The models offered now.

    `lists` holds the lists that came, `asked` the providers that were asked for one. `keys` are those that a provider
    has not refused. Where no list came, the catalogue says what is retired on `today`.
    """

    lists: Mapping[Provider, frozenset[str]]
    asked: AbstractSet[Provider]
    keys: Mapping[Provider, tuple[str, ...]]
    today: date

    def offers(self, provider: Provider, name: str | None) -> bool | None:
        """Say whether `provider` lists `name`; `None`: its list is not known.

        Routers of OpenRouter's are never listed.
        """
        listed = self.lists.get(provider)
        if listed is None:
            return None
        if name is None:
            return False
        return name.startswith("openrouter/") or match_name(name, listed) is not None


def survey(config: Config, market: Market) -> tuple[ModelFinding, ...]:
    """Return the RC2 models in order, then every other named model, where the seller was asked."""
    used = _uses(config)
    names = [name for name, model in config.models.items() if model.rc2]
    names += [name for name in used if name not in names]
    return tuple(_found(config, market, name, used.get(name, ())) for name in names if home(name) in market.asked)


def home(name: str) -> Provider:
    """Return the provider that a name belongs to: OpenRouter's ids have a slash."""
    return Provider.OPENROUTER if "/" in name else Provider.OLLAMA


def _uses(config: Config) -> dict[str, tuple[str, ...]]:
    """Return every model that is named outside the catalogue, with the key paths that name it."""
    used: dict[str, tuple[str, ...]] = {}
    for path, name in _named(config):
        known = config.model(name).name
        used[known] = (*used.get(known, ()), path)
    return used


def _named(config: Config) -> Iterator[tuple[str, str]]:
    yield "routing.default_model", config.routing.default_model
    for pillar, path, role in _roles(config):
        yield f"pillars.{pillar}.{path}", role.model
    for name in config.providers[Provider.OPENROUTER].free_models:
        yield "providers.openrouter.free_models", name


def _roles(config: Config) -> Iterator[tuple[str, str, Role]]:
    for name, pillar in config.pillars.items():
        for role_name, role in pillar.roles.items():
            yield name, role_name, role
        if pillar.fallback is not None:
            yield name, "fallback", pillar.fallback


def _found(config: Config, market: Market, name: str, used_by: tuple[str, ...]) -> ModelFinding:
    model = config.model(name)
    abroad = home(name) is Provider.OPENROUTER
    ollama = False if abroad else market.offers(Provider.OLLAMA, name)
    equivalent = None if abroad else model.openrouter
    openrouter = market.offers(Provider.OPENROUTER, name if abroad else equivalent)
    local = False if abroad else market.offers(Provider.LOCAL, name)
    status = _status(openrouter if abroad else ollama, local, retired=_retired(model, market))
    served = heir(config, name, partial(_missing, config, market, home(name)))
    places = ((Provider.OLLAMA, ollama), (Provider.OPENROUTER, openrouter))
    keys = [key for provider, offered in places if offered for key in market.keys.get(provider, ())]
    return ModelFinding(
        name=name,
        rc2=model.rc2,
        status=status,
        ollama=ollama,
        openrouter=openrouter,
        local=local,
        successor=model.successor if served is None or served.ours else served.name,
        stand_in=served.name if served is not None and served.ours else None,
        retired_on=model.retired_on,
        equivalent=equivalent,
        nearest=nearest(name, market.lists.get(home(name), frozenset())) if status is ModelStatus.UNLISTED else None,
        used_by=used_by,
        available_on=(*keys, *((LOCAL,) if local else ())),
    )


def _status(at_home: bool | None, local: bool | None, *, retired: bool) -> ModelStatus:  # noqa: FBT001 - three answers each
    if at_home or local:
        return ModelStatus.AVAILABLE
    if at_home is None:
        return ModelStatus.UNKNOWN
    if retired:
        return ModelStatus.RETIRED
    return ModelStatus.UNKNOWN if local is None else ModelStatus.UNLISTED


def _retired(model: Model, market: Market) -> bool:
    return model.retired_on is not None and model.retired_on <= market.today


def _missing(config: Config, market: Market, provider: Provider, name: str) -> bool:
    """Say whether another model must stand in: no list has this one.

    Where no list came, the catalogue says whether it is gone.
    """
    model, offered = config.model(name), market.offers(provider, name)
    return model.lacks_chat or (offered is None and model.not_served(market.today) != "") or offered is False


def nearest(name: str, listed: Iterable[str]) -> str | None:
    """Return the listed name most like `name`; `None` without any.

    A free one for a free one, and if there is any, one of the same maker.
    """
    from difflib import get_close_matches  # imported only where a model is gone

    free = [other for other in listed if other.endswith(":free") == name.endswith(":free")]
    maker, slash, _ = name.partition("/")
    kin = sorted(other for other in free if slash and other.startswith(f"{maker}/"))
    family = name.partition(":")[0]
    tagged = sorted(other for other in free if not slash and other.partition(":")[0] == family)
    for pool, cutoff in ((tagged, 0.0), (kin, 0.3), (sorted(free), 0.55)):
        found = get_close_matches(name, pool, n=1, cutoff=cutoff)
        if found:
            return found[0]
    if slash:
        return None
    bare = {other.partition("/")[2]: other for other in sorted(free) if "/" in other}
    return next((bare[found] for found in get_close_matches(name, bare, n=1, cutoff=0.55)), None)


# --- what is rotten ---


def rotten(config: Config, market: Market) -> tuple[str, ...]:
    """Return a sentence for each configured id that nobody lists, and for each role that nothing can serve."""
    found = list(_gone_ids(config, market))
    dead = {line.partition(" ")[0] for line in found}
    return (*found, *_unserved(config, market, dead))


def _gone_ids(config: Config, market: Market) -> Iterator[str]:
    for name, used_by in _uses(config).items():
        model, where = config.model(name), _places(used_by)
        if home(name) is Provider.OPENROUTER:
            if market.offers(Provider.OPENROUTER, served_as(config, market, name)) is False:
                yield f"{name} ({where}): openrouter lists it no more; {_nearest(name, market, Provider.OPENROUTER)}"
            continue
        alike = model.openrouter
        alike_gone = alike is not None and market.offers(Provider.OPENROUTER, served_as(config, market, alike)) is False
        if _ways(config, market, name) == set():
            also = f", nor its equivalent {alike}" if alike_gone else ""
            yield f"{name} ({where}): nobody lists it any more{also}; {_nearest(name, market, Provider.OLLAMA)}"
        elif alike is not None and alike_gone:
            near = _nearest(alike, market, Provider.OPENROUTER)
            yield f"{alike} (equivalent of {name}): openrouter lists it no more; {near}"


def _nearest(name: str, market: Market, provider: Provider) -> str:
    listed = market.lists.get(provider, frozenset())
    close = nearest(name, listed) or nearest(name, market.lists.get(Provider.OPENROUTER, frozenset()))
    return f"nearest: {close}." if close else "no listed name is like it."


def _places(used_by: tuple[str, ...]) -> str:
    more = len(used_by) - 2
    return ", ".join(used_by[:2]) + (f" and {more} more" if more > 0 else "")


def _ways(config: Config, market: Market, name: str) -> set[Provider] | None:
    """Return who can answer for an Ollama model, by name, successors or equivalent; `None`: not fully known.

    A silent daemon on this machine leaves open whether it has the model, unless that is one of the cloud's retired.
    """
    model, served = config.model(name), served_as(config, market, name)
    alike = model.openrouter or config.model(served).openrouter
    answers = {
        Provider.OLLAMA: market.offers(Provider.OLLAMA, served),
        Provider.LOCAL: market.offers(Provider.LOCAL, name) or (False if model.retired_on else None),
        Provider.OPENROUTER: alike is not None and market.offers(Provider.OPENROUTER, served_as(config, market, alike)),
    }
    if Provider.LOCAL in market.lists:
        answers[Provider.LOCAL] = market.offers(Provider.LOCAL, name)
    ways = {provider for provider, offered in answers.items() if offered}
    return None if not ways and None in answers.values() else ways


def served_as(config: Config, market: Market, name: str) -> str:
    """Return the name that the seller is asked for.

    It is the model's own, or that of a successor or a stand-in that is listed.
    """
    missing = partial(_missing, config, market, home(name))
    found = heir(config, name, missing) if missing(name) else None
    return name if found is None else found.name


def _unserved(config: Config, market: Market, dead: AbstractSet[str]) -> Iterator[str]:
    """Yield a sentence for each role whose privacy forbids every place that still has its model."""
    for pillar, path, role in _roles(config):
        name = config.model(role.model).name
        privacy = role.privacy or config.routing.default_privacy
        if name in dead or home(name) is Provider.OPENROUTER or privacy is Privacy.LOW:
            continue
        allowed = {provider for provider in Provider if privacy.permits(provider)}
        ways = _ways(config, market, name)
        if ways is None or (allowed == {Provider.LOCAL} and Provider.LOCAL not in market.lists):
            continue
        if not allowed & ways:
            yield f"pillars.{pillar}.{path}: at privacy {privacy} nothing may serve {name}; name another model."
