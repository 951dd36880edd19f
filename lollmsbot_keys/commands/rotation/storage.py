"""The places of one key's secrets: the targets, the old secret beside each, and the key's own source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.rotation_journal import TargetRecord
from lollmsbot_keys.edges.secrets import Secret
from lollmsbot_keys.edges.targets import NOT_READABLE, Target, check_all
from lollmsbot_keys.edges.targets.target import NotReadable
from lollmsbot_keys.errors import SecretError, UsageError

Parse = Callable[[str], Target]
Held = Secret | NotReadable | None


class Spot(NamedTuple):
    """One target, and the place for the secret that it held before.

    `previous` is `None` where the target gives nothing back.
    """

    target: Target
    previous: Target | None


def previous_of(label: str) -> str | None:
    """Return the place beside a target, as a reference; `None` where there is none."""
    scheme, _, rest = label.partition(":")
    match scheme:
        case "dotenv" | "keyring":
            return f"{label}_PREVIOUS"
        case "file":
            return f"file:{rest}.previous"
        case _:
            return None


class Places:
    """All places where secrets of one key may be.

    `own` is what the key's source holds, if it holds anything.
    """

    def __init__(self, spots: Sequence[Spot], own: Secret | None, missing: Sequence[str] = ()) -> None:
        self.spots, self.own, self.missing = tuple(spots), own, tuple(missing)

    @property
    def targets(self) -> tuple[Target, ...]:
        return tuple(spot.target for spot in self.spots)

    @property
    def labels(self) -> str:
        return ", ".join(spot.target.label for spot in self.spots)

    def check(self, old: str) -> None:
        """Check that the new secret can be written, and the old one kept beside it.

        Raises:
            SecretError: one of them cannot.
        """
        check_all([*self.targets, *(spot.previous for spot in self.spots if spot.previous is not None)])
        for spot in self.spots:
            kept = spot.previous.read_back() if spot.previous is not None else None
            if spot.previous is not None and isinstance(kept, Secret) and kept.reveal() and kept.fingerprint != old:
                raise SecretError(
                    f"{spot.previous.label} holds something already, and that is where the old secret would be kept. "
                    "Move it elsewhere, or delete it."
                )

    def found(self) -> dict[str, Secret]:
        """Read every secret that can be read now, by fingerprint."""
        held: list[Held] = [self.own]
        for spot in self.spots:
            held += [spot.target.read_back(), spot.previous.read_back() if spot.previous is not None else None]
        return {secret.fingerprint: secret for secret in held if isinstance(secret, Secret) and secret.reveal()}

    def before(self) -> tuple[TargetRecord, ...]:
        """Read what every target holds now, for the journal."""
        return tuple(TargetRecord(spot.target.label, _fingerprint(spot.target.read_back())) for spot in self.spots)

    def keep(self, places: Mapping[str, str | None], old: Secret | None) -> None:
        """Put beside each target what it held before; where it held nothing, the key's old secret.

        What is kept already stays: after a crash the target may hold the new secret.
        """
        for spot in self.spots:
            before = places.get(spot.target.label)
            if spot.previous is None or before is None or _fingerprint(spot.previous.read_back()):
                continue
            held = spot.target.read_back()
            if before and isinstance(held, Secret) and held.fingerprint == before and held.reveal():
                spot.previous.write(held)
            elif old is not None:
                spot.previous.write(old)

    def holding(self, fingerprint: str) -> tuple[str, ...]:
        """Return the labels of the targets that give back the secret of that fingerprint."""
        return tuple(
            spot.target.label
            for spot in self.spots
            if isinstance(held := spot.target.read_back(), Secret) and held.fingerprint == fingerprint
        )

    def changed(self, places: Iterable[TargetRecord]) -> bool:
        """Say whether a target holds something else than before, or may hold it and cannot tell."""
        now = {place.label: place.before for place in self.before()}
        return any(place.before is None or now.get(place.label) != place.before for place in places)

    def restore(self, places: Mapping[str, str | None], old: Secret | None, empty: Callable[[], Secret]) -> list[str]:
        """Give every target what it held before, and return those that could not get it.

        Targets that tell nothing get the old secret. A place that held another secret, which nobody kept, gets the old
        one too.

        Raises:
            SecretError: one that can be read cannot be written now.
        """
        failed = list(self.missing)
        for spot in self.spots:
            before = places.get(spot.target.label, "")
            kept = spot.previous.read_back() if spot.previous is not None else None
            now = spot.target.read_back()
            if before is not None and _fingerprint(now) == before:
                continue
            if before == "":
                spot.target.restore(None)
            elif before is not None and before == empty().fingerprint:
                spot.target.restore(empty())
            elif isinstance(kept, Secret) and kept.fingerprint == before:
                spot.target.restore(kept)
            elif old is None or not _written(spot, old):
                failed.append(spot.target.label)
        return failed

    def forget(self, mine: Iterable[str]) -> None:
        """Remove what is kept beside the targets, if it is one of `mine`."""
        known = set(mine)
        for spot in self.spots:
            if spot.previous is not None and _fingerprint(spot.previous.read_back()) in known - {""}:
                spot.previous.restore(None)


def _written(spot: Spot, old: Secret) -> bool:
    """Write `old` into the target, and say whether it is there now.

    A target that tells nothing may be out of order for good: that is for a person.
    """
    try:
        spot.target.write(old)
    except SecretError:
        if spot.previous is not None:
            raise
        return False
    return True


def _fingerprint(held: Held) -> str | None:
    if held is NOT_READABLE:
        return None
    return held.fingerprint if isinstance(held, Secret) else ""


def spots_of(parse: Parse, targets: Iterable[Target]) -> tuple[Spot, ...]:
    """Return each target with the place beside it."""
    spots = {}
    for target in targets:
        beside = previous_of(target.label)
        spots[target.label] = Spot(target, parse(beside) if beside is not None else None)
    return tuple(spots.values())


def chosen(wanted: Sequence[str], own: Callable[[], Target], parse: Parse) -> list[Target]:
    """Return the targets of a new rotation.

    The key's own source first, if it can be written, then those that were named.

    Raises:
        SecretError: there is none.
        UsageError: one is no target.
    """
    named = [parse(text) for text in wanted]
    try:
        return [own(), *named]
    except SecretError:
        if not named:
            raise
        return named


def journalled(labels: Iterable[str], wanted: Sequence[str], parse: Parse) -> tuple[list[Target], list[str]]:
    """Return the targets of a rotation that was begun, and those that must be named again (`command:`)."""
    again = {target.label: target for target in map(parse, wanted)}
    targets, missing = [], []
    for label in labels:
        if label in again:
            targets.append(again[label])
        elif label.startswith("command:"):
            missing.append(label)
        else:
            targets.append(parse(label))
    strangers = again.keys() - set(labels)
    if strangers:
        raise UsageError(
            f"{', '.join(sorted(strangers))} is not among the places of the rotation that was begun. Finish that one "
            "first, and write there afterwards."
        )
    return targets, missing


def must_be_named(missing: Sequence[str]) -> str:
    """Return the message that a command must be named again with its arguments.

    The journal does not keep them.
    """
    again = " ".join(f"--to {label} …" for label in missing)
    return f"The journal does not keep a command's arguments. Name it again: {again}"
