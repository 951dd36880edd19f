"""The meaning of a request: one model from pillar and role, one level from the levels of privacy."""

from __future__ import annotations

from collections.abc import Iterable

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import LONGEST_NAME, Config, Key, Pillar, Privacy, Role, strictest, trimmed
from lollmsbot_keys.core.model.request import Priority, Request
from lollmsbot_keys.core.security.key_forms import is_key
from lollmsbot_keys.errors import UsageError

_SHORTEST_SECRET = 8
KEY_AS_MODEL = "What was given as a model's name looks like a key, and is sent to nobody."
LOCAL_NAME = "local"
"""The name of the local candidate, which has no key, where people write a key's name."""


class ResolvedRequest(NamedTuple):
    """A request with everything looked up.

    `general` is true when it named neither a model nor a pillar.
    """

    model: str
    local_name: str
    local_model: str
    general: bool
    pillar: str | None
    role: str | None
    pin: str | None
    fallback: Role | None
    privacy: Privacy
    priority: Priority
    free_first: bool
    not_free: str
    or_paid: bool
    key: str | None
    prompt_tokens: int
    max_output_tokens: int

    @property
    def wants_own_model(self) -> bool:
        """Whether this machine chooses the model.

        That is a critical request that names none, without `routing.local_model`.
        """
        return self.general and self.privacy is Privacy.CRITICAL and not self.local_model

    @property
    def is_openrouter_id(self) -> bool:
        return "/" in self.model

    def admits(self, key: Key | None) -> bool:
        """Say whether the request lets this key (`None`: local) take part."""
        return self.key is None or self.key == (key.name if key else LOCAL_NAME)


def understand(request: Request, config: Config) -> ResolvedRequest:
    """Look up what `request` names.

    Raises:
        UsageError: it names a pillar, role or key that the configuration does not have, or a model by an endless name.
    """
    pillar = _pillar(request, config)
    role_name = _role_name(request, pillar)
    role = pillar.roles[role_name] if pillar and role_name else None
    if request.key and request.key != LOCAL_NAME and config.key(request.key) is None:
        raise UsageError(unknown("key", request.key, [*(key.name for key in config.keys), LOCAL_NAME]))
    named = request.model or (role.model if role else None)
    named = trimmed(named) if named else None
    if named == "":
        raise UsageError("A model's name has more than white space.")
    if named is not None and len(named) > LONGEST_NAME:
        raise UsageError(f"No model has a name of {len(named)} characters; at most {LONGEST_NAME} are taken.")
    if named is not None and is_key(named):
        raise UsageError(KEY_AS_MODEL)
    general = named is None
    model = named or config.routing.default_model
    said = [level for level in (request.privacy, role.privacy if role else None) if level is not None]
    privacy = strictest(said) if said else config.routing.default_privacy
    why_paid = _why_paid(request, role_name, role, privacy)
    return ResolvedRequest(
        model=config.model(model).name,
        local_name=model if model not in config.models else config.model(model).name,
        local_model=config.routing.local_model,
        general=general,
        pillar=request.pillar,
        role=role_name,
        pin=role.key if role else None,
        fallback=pillar.fallback if pillar else None,
        privacy=privacy,
        priority=request.priority,
        free_first=request.free or (config.routing.prefer_free_tier and not why_paid),
        not_free=why_paid if config.routing.prefer_free_tier and not request.free else "",
        or_paid=not request.free,
        key=request.key,
        prompt_tokens=request.prompt_tokens,
        max_output_tokens=request.max_output_tokens or config.routing.max_output_tokens,
    )


def _why_paid(request: Request, role_name: str | None, role: Role | None, privacy: Privacy) -> str:
    """Return why no free model may take `request` in place of a paid one; "" where one may."""
    if request.model is not None:
        return "a model was named"
    if role is not None and not role.free:
        return f"pillars.{request.pillar}.{role_name} does not say free = true"
    if privacy not in {Privacy.LOW, Privacy.MEDIUM}:
        return f"{privacy} prompts are kept from them"
    return ""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the names that it could have been."""
    from difflib import get_close_matches  # imported only after a mistake

    names = list(known)
    close = get_close_matches(name, names, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    # People paste a key's secret by mistake where its name belongs.
    plain = kind != "key" or close or name.isupper() or len(name) < _SHORTEST_SECRET
    called = f" {name!r}" if plain else " of that name"
    return f"There is no {kind}{called}.{guess} Known: {', '.join(names) or 'none'}."


def _pillar(request: Request, config: Config) -> Pillar | None:
    if request.pillar is None:
        if request.role is not None:
            raise UsageError(f"The role {request.role!r} needs its pillar: add --pillar ({', '.join(config.pillars)}).")
        return None
    found = config.pillars.get(request.pillar)
    if found is None:
        raise UsageError(unknown("pillar", request.pillar, config.pillars))
    return found


def _role_name(request: Request, pillar: Pillar | None) -> str | None:
    if pillar is None:
        return None
    if request.role is None:
        return next(iter(pillar.roles), None)
    if request.role not in pillar.roles:
        raise UsageError(unknown(f"{request.pillar} role", request.role, pillar.roles))
    return request.role
