"""The provider's side of a rotation as an interface, and the pages for what a person does by hand.

Loads no HTTP library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.model.findings import KeyProof
from lollmsbot_keys.edges.secrets import Secret

if TYPE_CHECKING:
    from lollmsbot_keys.edges.providers.keys_api import Made, ManagedKey

KEYS_PAGE = {
    Provider.OLLAMA: "https://ollama.com/settings/keys",
    Provider.OPENROUTER: "https://openrouter.ai/settings/keys",
    Provider.LOCAL: "nowhere",
}


class Proved(NamedTuple):
    """The provider's word on one secret.

    `facts` is what a key of OpenRouter is told about itself.
    """

    proof: KeyProof
    facts: Mapping[str, object]


class RotationClient(Protocol):
    """The calls of a rotation to the provider.

    They raise `Unasked` where it gave no clear reply.
    """

    async def prove(self, secret: Secret) -> Proved: ...

    async def keys(self) -> tuple[ManagedKey, ...]: ...

    async def make(self, name: str, terms: Mapping[str, object]) -> Made: ...

    async def switch(self, number: str, *, off: bool) -> bool: ...

    async def delete(self, number: str) -> bool: ...

    async def pause(self, seconds: float) -> None: ...
