"""The prompt that a pool gets, its options, and the listener while it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from lollmsbot_keys.core.base.prompt_tokens import most_tokens
from lollmsbot_keys.core.model.config import MOST_OUTPUT_TOKENS, Privacy
from lollmsbot_keys.core.model.outcome import Attempt
from lollmsbot_keys.core.model.request import Priority, Request
from lollmsbot_keys.core.routing.resolve import unknown
from lollmsbot_keys.edges.providers.call import ChatMessage
from lollmsbot_keys.errors import UsageError

SILENCE = timedelta(seconds=120)
"""The longest allowed silence of one attempt, unless the caller says otherwise."""

HOTTEST = 2
"""The highest temperature that any provider takes."""


class Options(TypedDict, total=False):
    """The options of a prompt; everything may be left out.

    `timeout` is the longest silence of one attempt (to the first byte, then between chunks), `wait` how long to wait
    for a key to come free when all are exhausted. Without it money that calls on their way hold is waited for a moment;
    with none of it (`timedelta()`), nothing is. `privacy` can only make a role's own level stricter.
    """

    pillar: str | None
    role: str | None
    model: str | None
    privacy: Privacy | str | None
    free: bool
    priority: Priority | str
    key: str | None
    system: str | None
    max_output_tokens: int | None
    temperature: float | None
    timeout: timedelta
    wait: timedelta | None
    failover: bool
    stream: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request with its words. The words never show in its repr."""

    request: Request
    messages: tuple[ChatMessage, ...] = field(repr=False)
    temperature: float | None = None
    timeout: timedelta = SILENCE
    wait: timedelta | None = None
    failover: bool = True
    stream: bool = True


def question(prompt: str, options: Options) -> Prompt:
    """Make the question from `prompt` and `options`.

    Raises:
        UsageError: the prompt is empty, there is no such option, or one has an impossible value.
    """
    for name in options:  # no type stops a misspelt `privacy`, and the prompt would go anywhere
        if name not in Options.__annotations__:
            raise UsageError(unknown("option", name, Options.__annotations__))
    if not prompt.strip():
        raise UsageError("The prompt is empty.")
    system = options.get("system")
    messages = (*((ChatMessage("system", system),) if system else ()), ChatMessage("user", prompt))
    cap = options.get("max_output_tokens")
    if cap is not None and not 1 <= cap <= MOST_OUTPUT_TOKENS:
        raise UsageError(f"The cap of output tokens must be from 1 to {MOST_OUTPUT_TOKENS}.")
    temperature = options.get("temperature")
    if temperature is not None and not 0 <= temperature <= HOTTEST:  # not a number fails this as well
        raise UsageError(f"The temperature must be between 0 and {HOTTEST}, not {temperature}.")
    privacy = options.get("privacy")
    return Prompt(
        Request(
            model=options.get("model"),
            pillar=options.get("pillar"),
            role=options.get("role"),
            privacy=_level(privacy) if privacy is not None else None,
            free=options.get("free", False),
            priority=_priority(options.get("priority", Priority.NORMAL)),
            key=options.get("key"),
            prompt_tokens=most_tokens([message.content for message in messages]),
            max_output_tokens=cap,
        ),
        messages,
        temperature=temperature,
        timeout=options.get("timeout", SILENCE),
        wait=options.get("wait"),
        failover=options.get("failover", True),
        stream=options.get("stream", True),
    )


def _level(text: Privacy | str) -> Privacy:
    try:
        return Privacy(text)
    except ValueError:
        raise UsageError(f"There is no privacy level {text!r}. Levels: {', '.join(Privacy)}.") from None


def _priority(text: Priority | str) -> Priority:
    try:
        return Priority(text)
    except ValueError:
        raise UsageError(f"There is no priority {text!r}. Priorities: {', '.join(Priority)}.") from None


class Listener:
    """The listener to one question; every method does nothing until a subclass says otherwise.

    `live`: the text is passed on as it comes, so that after its first piece nothing is asked again. Otherwise it comes
    with the report alone.
    """

    live = True

    def text(self, piece: str) -> None:
        """Take the next piece of the answer, already harmless and without secrets."""

    def asking(self, candidate: str) -> None:
        """Hear that an attempt begins; `candidate` is its key and model in words."""

    def attempt(self, attempt: Attempt) -> None:
        """Hear that an attempt ended."""

    def notice(self, message: str) -> None:
        """Take a message for a person."""

    def waiting(self, until: datetime) -> None:
        """Hear that nothing is free, about once a second; the first key may come free at `until`."""

    def done_waiting(self) -> None:
        """Hear that the wait is over, with or without a key."""
