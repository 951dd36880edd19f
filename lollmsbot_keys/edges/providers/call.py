"""The calls to a provider, and the results of small questions.

Nothing here loads an HTTP library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Price, Privacy, Provider
from lollmsbot_keys.core.model.request import EMPTY
from lollmsbot_keys.edges.secrets.secret import Secret


class ChatMessage(NamedTuple):
    """One turn of the conversation; `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at an answer: one candidate, and the words.

    `endpoints` are tried in order while nothing could be sent. `secret` is `None` for local. `timeout` is the longest
    silence: to the first byte, then between chunks. `price` is sent to OpenRouter as the most it may charge. With
    `prove_local`, the prompt leaves only after a proof that the daemon runs the model itself, on this machine.
    """

    provider: Provider
    model: str
    endpoints: tuple[str, ...]
    secret: Secret | None
    messages: tuple[ChatMessage, ...] = field(repr=False)
    max_output_tokens: int
    temperature: float | None
    privacy: Privacy
    free: bool
    price: Price
    stream: bool
    timeout: timedelta
    prove_local: bool = False


class KeyVerdict(StrEnum):
    """The provider's verdict on a secret.

    Only a clear no counts against the key.
    """

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """The result of a provider's free call that it refuses without a good key.

    `facts` is the redacted JSON that came with it: balances, limits, the owner of the key. `hints` are the headers that
    may say when to come back. `status` is `None` where no reply came.
    """

    verdict: KeyVerdict
    detail: str
    endpoint: str = ""
    status: int | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)


class ModelList(NamedTuple):
    """The models that a provider offers; or, in `problem`, why they are not known.

    `prices` are OpenRouter's prices for them, in the form of `core.model.request.PriceList`. `chat` is for a local
    daemon only: the first model that it clearly runs itself and that can chat ("": none).
    """

    names: frozenset[str]
    problem: str = ""
    prices: Mapping[str, tuple[str, ...] | None] = EMPTY
    chat: str = ""


class Locality(StrEnum):
    """The answer to whether the daemon on this machine runs a model itself."""

    PROVEN = "proven"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


class LocalityProof(NamedTuple):
    """The result of asking the daemon.

    `pinned` is the endpoint with the very address that was asked, `host` is the Host header for it; both are empty
    unless `locality` is `proven`.
    """

    locality: Locality
    detail: str
    pinned: str = ""
    host: str = ""
