"""The history of each key's secret.

A secret's age counts from the first time it was seen here.
"""

from __future__ import annotations

from datetime import datetime

from lollmsbot_keys.core.model.snapshot import OTHER_SECRETS, Sighting, Snapshot

MOST_KEYS = 64


def sight(snapshot: Snapshot, key: str, fingerprint: str, now: datetime) -> Snapshot:
    """Note that `key` was used with the secret of that fingerprint.

    A former secret is no news, because an open shell may still hold it. An unknown fingerprint ("") says nothing.
    """
    return replace(snapshot, key, fingerprint, now) if is_news(snapshot, key, fingerprint) else snapshot


def is_news(snapshot: Snapshot, key: str, fingerprint: str) -> bool:
    """Say whether no secret of that fingerprint was ever seen as one of `key`.

    The state remembers only some former secrets.
    """
    known = snapshot.sightings.get(key)
    return bool(fingerprint and key) and (known is None or fingerprint not in {known.fingerprint, *known.others})


def replace(snapshot: Snapshot, key: str, fingerprint: str, now: datetime) -> Snapshot:
    """Make the secret of that fingerprint the one of `key` from now on.

    It may also be a former one that is back.
    """
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
    """Make the former secret of that fingerprint the one of `key` again.

    Its age stays the old one.
    """
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
