"""Which secret each key has, and since when: the age of a secret counts from the first time it was seen here."""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.core.model.snapshot import OTHER_SECRETS, Sighting, Snapshot

MOST_KEYS = 64


def sight(snapshot: Snapshot, key: str, fingerprint: str, now: datetime) -> Snapshot:
    """Note that `key` was used with the secret of that fingerprint. A former secret is no news: a shell still holds it.

    An unknown fingerprint ("") says nothing.
    """
    return replace(snapshot, key, fingerprint, now) if is_news(snapshot, key, fingerprint) else snapshot


def is_news(snapshot: Snapshot, key: str, fingerprint: str) -> bool:
    """Whether no secret of that fingerprint was ever seen as one of `key`, as far as is remembered."""
    known = snapshot.sightings.get(key)
    return bool(fingerprint and key) and (known is None or fingerprint not in {known.fingerprint, *known.others})


def replace(snapshot: Snapshot, key: str, fingerprint: str, now: datetime) -> Snapshot:
    """The secret of `key` is the one of that fingerprint from now on, also where it is a former one come back."""
    known = snapshot.sightings.get(key)
    if known is not None and known.fingerprint == fingerprint:
        return snapshot
    if known is None:
        sighting = Sighting(fingerprint, now)
    else:
        former = (known.fingerprint, *(other for other in known.others if other != fingerprint))
        sighting = Sighting(fingerprint, now, known.generation + 1, former[:OTHER_SECRETS])
    return _kept(snapshot, key, sighting)


def give_back(snapshot: Snapshot, key: str, fingerprint: str, since: datetime, generation: int) -> Snapshot:
    """The former secret of that fingerprint is the one of `key` again, and no younger for it."""
    known = snapshot.sightings.get(key)
    if known is None or known.fingerprint == fingerprint:
        return snapshot
    others = (known.fingerprint, *(other for other in known.others if other != fingerprint))
    return _kept(snapshot, key, Sighting(fingerprint, since, generation, others[:OTHER_SECRETS]))


def _kept(snapshot: Snapshot, key: str, sighting: Sighting) -> Snapshot:
    sightings = {**snapshot.sightings, key: sighting}
    if len(sightings) > MOST_KEYS:
        del sightings[min(sightings, key=lambda name: sightings[name].since)]
    return snapshot._replace(sightings=sightings)
