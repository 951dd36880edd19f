"""The callers: made-up keys, the accounts behind them, and the use of each."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from time import gmtime, strftime

from lollmsbot_keys.core.model.config import Provider

# Like a real one in form, and plainly not one: 5a4db0 is as near to "sandbo(x)" as hexadecimal comes.
_OPENROUTER_PREFIX = "sk-or-v1-5a4db0"
_OLLAMA_PREFIX = "sandbox-ollama-"
MANAGEMENT_KEY = "OPENROUTER_MANAGEMENT_KEY"
_OLLAMA_KEYS = ("OLLAMA_API_KEY", "OLLAMA_API_KEY_2")
_OPENROUTER_KEYS = ("OPENROUTER_API_KEY_1", "OPENROUTER_API_KEY_2", "OPENROUTER_API_KEY_3")


class SlidingWindow:
    """A window of `seconds` that lets at most `limit` events through."""

    __slots__ = ("_events", "_limit", "_seconds")

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit, self._seconds = limit, seconds
        self._events: deque[float] = deque()

    def wait_s(self, now_s: float) -> float:
        """Count one event where there is room for it, and return 0; else return the seconds until there is room."""
        while self._events and self._events[0] <= now_s - self._seconds:
            self._events.popleft()
        if len(self._events) >= self._limit:
            return self._events[0] + self._seconds - now_s
        self._events.append(now_s)
        return 0.0


HOUR_S = 3600


@dataclass(slots=True)
class FakeUsage:
    """The use so far, in all and by the hour since the epoch."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    hours: dict[int, FakeUsage] = field(default_factory=dict)

    def add(self, prompt_tokens: int, completion_tokens: int, cost_usd: Decimal, now_s: float) -> None:
        for sums in (self, self.hours.setdefault(int(now_s // HOUR_S), FakeUsage())):
            sums.calls += 1
            sums.prompt_tokens += prompt_tokens
            sums.completion_tokens += completion_tokens
            sums.cost_usd += cost_usd

    def since(self, begin_s: float) -> FakeUsage:
        """Add up the hours that end after `begin_s`."""
        whole = FakeUsage()
        for hour, sums in self.hours.items():
            if (hour + 1) * HOUR_S > begin_s:
                whole = whole.plus(sums)
        return whole

    def plus(self, other: FakeUsage) -> FakeUsage:
        """Add up both, without hours."""
        return FakeUsage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost_usd + other.cost_usd,
        )


@dataclass(slots=True)
class FakeAccount:
    """The account that is billed and limited."""

    id: str
    usage: FakeUsage = field(default_factory=FakeUsage)
    checks: SlidingWindow = field(default_factory=lambda: SlidingWindow(10, 60))
    free_minute: SlidingWindow = field(default_factory=lambda: SlidingWindow(20, 60))
    free_per_day: int = 50
    _free_day: str = ""
    _free_used: int = 0

    def free_left(self, now_s: float) -> int:
        """Return the number of `:free` calls that the account may still make on this UTC day."""
        today = strftime("%Y-%m-%d", gmtime(now_s))
        if today != self._free_day:
            self._free_day, self._free_used = today, 0
        return self.free_per_day - self._free_used

    def use_free(self) -> None:
        self._free_used += 1


@dataclass(slots=True)
class SandboxKey:
    """A credential of the sandbox.

    `name` is what logs and faults call it; `title` is what its owner called it.
    """

    name: str
    provider: Provider
    account: FakeAccount
    secret: str = field(repr=False)
    hash: str
    title: str
    created_at: str
    management: bool = False
    disabled: bool = False
    limit_usd: Decimal | None = None
    limit_reset: str | None = None
    expires_at: str | None = None
    updated_at: str | None = None
    usage: FakeUsage = field(default_factory=FakeUsage)

    @property
    def label(self) -> str:
        """The masked form that OpenRouter shows."""
        return f"{self.secret[:12]}...{self.secret[-3:]}"

    @property
    def limit_remaining_usd(self) -> Decimal | None:
        return None if self.limit_usd is None else max(Decimal(0), self.limit_usd - self.usage.cost_usd)


class KeyRing:
    """The keys that exist right now."""

    def __init__(self, now_s: float, *, one_ollama_account: bool = False, free_per_day: int = 50) -> None:
        self._keys: list[SandboxKey] = []
        self._named_secrets: dict[str, str] = {}  # of removed keys too: a log shows none of them
        shared = FakeAccount("user_sandbox", free_per_day=free_per_day)
        ollama = [FakeAccount(f"sandbox-user-{number}") for number, _ in enumerate(_OLLAMA_KEYS, start=1)]
        for place, name in enumerate(_OLLAMA_KEYS):
            self._add(Provider.OLLAMA, name, ollama[0 if one_ollama_account else place], now_s)
        for name in _OPENROUTER_KEYS:
            self._add(Provider.OPENROUTER, name, shared, now_s)
        self._add(Provider.OPENROUTER, MANAGEMENT_KEY, shared, now_s).management = True

    def __iter__(self) -> Iterator[SandboxKey]:
        return iter(tuple(self._keys))

    def find(self, secret: str | None, provider: Provider) -> SandboxKey | None:
        """Find the key that `secret` belongs to; `None` where no key of that provider has it."""
        return next((key for key in self._keys if key.secret == secret and key.provider is provider), None)

    def by_hash(self, hash_: str) -> SandboxKey | None:
        return next((key for key in self._keys if key.hash == hash_ and not key.management), None)

    def create(self, title: str, account: FakeAccount, now_s: float) -> SandboxKey:
        """Make a further OpenRouter key, which is good for inference at once."""
        taken = any(key.name == title for key in self._keys)
        key = self._add(Provider.OPENROUTER, title, account, now_s)
        if taken:
            key.name = f"{title} ({key.hash[:8]})"
        return key

    def another(self, name: str, now_s: float) -> SandboxKey | None:
        """Make a further key of the account of the key called `name`.

        A person makes such a key on the provider's page.
        """
        like = self.named(name)
        if like is None or like.management:
            return None
        made = self._add(like.provider, like.title, like.account, now_s)
        made.name = self._named_secrets[made.secret] = f"{name} ({made.hash[:8]})"
        return made

    def named(self, name: str) -> SandboxKey | None:
        """Find the key that logs and faults call `name`."""
        return next((key for key in self._keys if key.name == name), None)

    def remove(self, key: SandboxKey) -> None:
        self._keys.remove(key)

    def masked(self, text: str) -> str:
        """Replace every secret of the sandbox in `text` with its key's name."""
        for secret, name in self._named_secrets.items():
            text = text.replace(secret, f"<{name}>")
        return text

    def _add(self, provider: Provider, name: str, account: FakeAccount, now_s: float) -> SandboxKey:
        ollama = provider is Provider.OLLAMA
        secret = _OLLAMA_PREFIX + secrets.token_hex(16) if ollama else _OPENROUTER_PREFIX + secrets.token_hex(29)
        created_at = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(now_s))
        key = SandboxKey(name, provider, account, secret, secrets.token_hex(32), name, created_at)
        self._keys.append(key)
        self._named_secrets[secret] = name
        return key
