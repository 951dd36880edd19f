"""The things that one rotation works with: key, journal, places, provider, wish, listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from lollmsbot_keys.commands.rotation.journal import RotationJournal
from lollmsbot_keys.commands.rotation.manual_steps import KEYS_PAGE, Proved, RotationClient
from lollmsbot_keys.commands.rotation.storage import Places
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Key
from lollmsbot_keys.core.model.findings import KeyProof, Verdict
from lollmsbot_keys.core.model.rotation_journal import Step, StepReport, StepStatus
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.errors import SecretRefused, Unasked

_SPREADING_S = (0.5, 1.0, 2.0)
"""The pauses in seconds until all of the provider knows a key that was made, switched or deleted."""
_UNREACHABLE = "Check the network, a proxy, and the provider's endpoints."


class RotationOptions(NamedTuple):
    """The wishes of the person.

    `grace` is how long the old secret stays good; `None`: as the configuration says.
    """

    mint: bool = False
    other_account: bool = False
    grace: timedelta | None = None


class RotationListener:
    """The listener to a rotation, which is also asked for the new secret.

    Every method but `ask` does nothing until a subclass says otherwise.
    """

    def secret(self, characters: str) -> None:
        """Learn the characters of a secret before it is used.

        A listener that prints for a machine that hides secrets must tell it them now.
        """

    def doing(self, step: Step) -> None:
        """Hear that a step begins."""

    def done(self, key: str, report: StepReport) -> None:
        """Hear that a step came to an end, or to a stop."""

    def stopped(self) -> None:
        """Hear that nothing is being done any more, whether it succeeded or not."""

    def stands(self, message: str) -> None:
        """Hear that the rotation was interrupted, and how it stands."""

    def ask(self, key: str) -> str:
        """Ask a person or a pipe for the new secret; "" where none is given."""
        raise NotImplementedError


@dataclass(slots=True)
class RotationContext:
    """The shared things of one rotation.

    `secret_of` makes a secret of characters, and makes sure that they are never shown. `others` are the other keys'
    secrets by fingerprint, `billed` tells whose the secret of a fingerprint is, as far as the state knows, `given` is
    what a person gave for a new secret. `old` and `new` are in hand or `None`; `proof` is the last one of the new
    secret.
    """

    key: Key
    journal: RotationJournal
    places: Places
    client: RotationClient
    resolved: RotationOptions
    listener: RotationListener
    secret_of: Callable[[str], Secret]
    others: Mapping[str, str]
    billed: Callable[[str], str | None]
    given: str = field(default="", repr=False)
    old: Secret | None = None
    new: Secret | None = None
    proof: KeyProof | None = None
    steps: list[StepReport] = field(default_factory=list)
    todo: list[str] = field(default_factory=list)

    def find(self) -> None:
        """Look for both secrets in all places.

        Raises:
            SecretError: a place cannot be read.
        """
        found, rotation = self.places.found(), self.journal.rotation
        self.old = found.get(rotation.old) if rotation.old else None
        self.new = found.get(rotation.new) if rotation.new else None

    def begins(self, step: Step) -> None:
        """Tell that a step begins."""
        self.listener.doing(step)

    def tell(self, step: Step, status: StepStatus, detail: str) -> None:
        """Tell how a step ended."""
        report = StepReport(step, status, detail)
        self.steps.append(report)
        self.listener.done(self.key.name, report)

    async def proved_good(self, secret: Secret, what: str) -> Proved:
        """Return the provider's yes to `secret`, called `what` in messages.

        Raises:
            SecretRefused: it said no.
            Unasked: it said nothing.
        """
        proved = await self.client.prove(secret)
        if self.journal.rotation.name:  # made a moment ago
            for seconds in _SPREADING_S:
                if proved.proof.verdict is not Verdict.INVALID:
                    break
                await self.client.pause(seconds)
                proved = await self.client.prove(secret)
        proof = proved.proof
        if proof.verdict.is_good_key:
            return proved
        if proof.verdict is Verdict.INVALID:
            raise SecretRefused(
                f"{self.key.provider} does not take {what} of {self.key.name}: {proof.reason}. Ordinary keys are made "
                f"at {KEYS_PAGE[self.key.provider]}."
            )
        raise self.unasked(f"{what} of {self.key.name} is good", proof)

    def unasked(self, whether: str, proof: KeyProof) -> Unasked:
        """Make the error for a provider that could not say something."""
        advice = _UNREACHABLE if proof.verdict is Verdict.UNREACHABLE else proof.next_step
        return Unasked(f"{self.key.provider} could not say whether {whether}: {proof.reason}. {advice}")

    async def still_accepted(self, secret: Secret) -> KeyProof:
        """Return the provider's last word on a secret that it should refuse from now on.

        The news of it may take a while to spread.
        """
        proof = (await self.client.prove(secret)).proof
        for seconds in _SPREADING_S if self.journal.rotation.name else ():
            if not proof.verdict.is_good_key:
                break
            await self.client.pause(seconds)
            proof = (await self.client.prove(secret)).proof
        return proof
