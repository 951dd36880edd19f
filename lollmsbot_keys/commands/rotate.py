"""`lbk rotate`: the replacement of a key's secret, or the age of all secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from lollmsbot_keys.commands.rotation.context import RotationContext, RotationListener, RotationOptions
from lollmsbot_keys.commands.rotation.journal import Aim, ProcessIdentity, RotationJournal, standing
from lollmsbot_keys.commands.rotation.manual_steps import KEYS_PAGE, RotationClient
from lollmsbot_keys.commands.rotation.storage import Places, chosen, journalled, spots_of
from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.model.config import Key, Provider
from lollmsbot_keys.core.model.rotation_journal import RotationReport, Standing, Step
from lollmsbot_keys.core.model.snapshot import Snapshot
from lollmsbot_keys.core.rotation.schedule import standings
from lollmsbot_keys.core.rotation.steps import comes_next, goes_on_alone
from lollmsbot_keys.core.routing.resolve import unknown
from lollmsbot_keys.core.state.events import Sighted, record
from lollmsbot_keys.core.state.secret_history import is_news
from lollmsbot_keys.edges.environment.processes import is_alive, is_dead, this_process
from lollmsbot_keys.edges.secrets import Secret, Secrets, fingerprint, installation_key
from lollmsbot_keys.edges.targets import Surroundings, Target, own_target, parse_target
from lollmsbot_keys.errors import ConfigError, SecretError, UsageError
from lollmsbot_keys.runtime import Engine

__all__ = ["Aim", "Rotate", "RotationListener", "RotationOptions", "RotationRequest"]


class RotationRequest(NamedTuple):
    """The wish for one key's rotation.

    `to` are targets beside the key's own source.
    """

    key: str
    aim: Aim
    to: tuple[str, ...] = ()
    resolved: RotationOptions = RotationOptions()


class Rotate:
    """The command's view of one pool.

    `workflow`: stdout is read for GitHub's commands.
    """

    def __init__(self, config: Path | None, state: Path | None) -> None:
        self._engine = Engine.open(config, state)
        environment = self._engine.environment
        self._base = environment.config_path(config)[0].parent.absolute()
        self._remarks: tuple[str, ...] = ()
        self._life = ProcessIdentity(this_process(), is_dead, is_alive)
        self.workflow, self.output_style = environment.github_actions, environment.output_style

    @property
    def now(self) -> datetime:
        return self._engine.clock()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The messages for a person about configuration, state, secrets, and the files they are in."""
        return (*self._engine.warnings, *self._engine.secrets.warnings, *self._remarks)

    # --- how it stands ---

    def standings(self, keys: Sequence[str] = ()) -> tuple[Standing, ...]:
        """Return the age and rotation of the secrets of `keys`, or of all.

        A secret that was never seen is noted: it ages from now.

        Raises:
            UsageError: there is no such key.
            StateError: see `errors`.
        """
        for name in keys:
            self._key(name)
        now = self.now
        snapshot = self._engine.state.read(now)
        at_work = {name for name, rotation in snapshot.rotations.items() if self._life.at_work(rotation, now)}
        facts = self._engine.facts()
        fresh = {name: held for name, held in facts.secrets.items() if is_news(snapshot, name, held)}
        if fresh:
            self._engine.state.update(partial(_sighted, fresh))
        found = standings(self._engine.config, snapshot, facts, now, at_work)
        return tuple(standing for standing in found if not keys or standing.key in keys)

    def unfinished(self) -> tuple[str, ...]:
        """Return the keys whose rotation can go on without a person, and that no process works on."""
        now = self.now
        rotations = self._engine.state.read(now).rotations
        return tuple(
            key.name
            for key in self._engine.config.keys
            if (found := rotations.get(key.name)) is not None
            and goes_on_alone(found)
            and not self._life.at_work(found, now)
        )

    # --- replacing a secret ---

    def run(self, wanted: RotationRequest, listener: RotationListener) -> RotationReport | None:
        """Begin, go on, or go back; `None` where there is nothing to go on with, or to go back from.

        Raises:
            SecretRefused, SecretError, Unasked, UsageError, ConfigError, StateError: see `errors`.
        """
        key = self._key(wanted.key)
        engine = self._engine
        snapshot = engine.state.read()
        own = self._own(key, listener)
        targets, missing = self._targets(key, wanted, snapshot)
        self._remarks = tuple(remark for target in targets if (remark := _remark(target)) is not None)
        management = self._management(key, wanted, snapshot, listener)
        journal = RotationJournal(engine.state, key.name, self._life, engine.clock)
        grace = engine.config.rotation.grace
        if not journal.claim(wanted.aim, grace, own.fingerprint if own is not None else ""):
            return None
        places = Places(spots_of(partial(_parsed, key, self._around()), targets), own, missing)
        try:
            given = self._asked(journal, places, wanted, listener)
        except BaseException:
            (journal.release if journal.rotation.under_way else journal.give_up)()
            raise
        work = partial(self._work, key, wanted, journal, places, listener, given)
        from lollmsbot_keys.edges.environment.event_loop import run

        try:
            return run(lambda: self._driven(wanted.aim, key, management, work))
        except KeyboardInterrupt:
            if journal.rotation.under_way:
                journal.release()
                listener.stands(
                    f"{standing(key.name, journal.rotation)}. Go on: lbk rotate {key.name} --resume; or back: "
                    f"lbk rotate {key.name} --rollback"
                )
            raise
        finally:
            listener.stopped()

    def _asked(
        self, journal: RotationJournal, places: Places, wanted: RotationRequest, listener: RotationListener
    ) -> str:
        """Check the targets before anything happens, and ask for the new secret.

        It is asked for here, outside the event loop, where Ctrl-C ends a prompt.
        """
        rotation = journal.rotation
        if wanted.aim is Aim.ROLL_BACK:
            return ""
        if not rotation.places:
            places.check(rotation.old)
        in_hand = bool(rotation.new) and rotation.new in places.found()
        if wanted.resolved.mint or rotation.name or comes_next(rotation, self.now, in_hand=in_hand) is not Step.OBTAIN:
            return ""
        given = listener.ask(wanted.key).strip()
        if given:
            listener.secret(given)
        return given

    async def _driven(
        self, aim: Aim, key: Key, management: Secret | str, work: Callable[[RotationClient], RotationContext]
    ) -> RotationReport:
        from lollmsbot_keys.commands.rotation.provider import Remote
        from lollmsbot_keys.commands.rotation.run import go_back, go_forward
        from lollmsbot_keys.core.failures.table import classifier
        from lollmsbot_keys.edges.providers import Wire

        config = self._engine.config
        async with Wire(
            scrubber=self._engine.secrets.scrubber,
            proxy_for=self._engine.environment.proxy_for,
            classify=classifier(config.cooldowns, self._engine.clock),
            trusted_hosts={name: settings.trusted_hosts for name, settings in config.providers.items()},
        ) as wire:
            client = Remote(self._engine, wire, key, management)
            return await (go_back if aim is Aim.ROLL_BACK else go_forward)(work(client))

    def _work(
        self,
        key: Key,
        wanted: RotationRequest,
        journal: RotationJournal,
        places: Places,
        listener: RotationListener,
        given: str,
        client: RotationClient,
    ) -> RotationContext:
        engine = self._engine
        snapshot = engine.state.read()
        learnt = snapshot.accounts.get(key.name)
        others = {sighting.fingerprint: name for name, sighting in snapshot.sightings.items() if name != key.name}
        others |= {held: name for name, held in engine.secrets.present().items() if name != key.name and held}
        return RotationContext(
            key=key,
            journal=journal,
            places=places,
            client=client,
            resolved=wanted.resolved,
            listener=listener,
            secret_of=partial(self._secret, key, listener),
            others=others,
            billed=lambda held: learnt.of(held) if learnt is not None else None,
            given=given,
        )

    # --- secrets and targets ---

    def _key(self, name: str) -> Key:
        config = self._engine.config
        key = config.key(name)
        if key is None:
            raise UsageError(unknown("key", name, [key.name for key in config.keys]))
        return key

    def _salt(self) -> bytes | None:
        return installation_key(self._engine.state.fingerprint_key, create=True)

    def _secret(self, key: Key, listener: RotationListener, characters: str) -> Secret:
        """Make a secret of characters that came from outside, hidden everywhere from now on."""
        if characters:
            listener.secret(characters)
        secret = Secret(characters, key.provider, fingerprint(characters, self._salt()))
        if characters:
            self._engine.secrets.scrubber.learn(secret)
        return secret

    def _own(self, key: Key, listener: RotationListener) -> Secret | None:
        """Read the secret that the key's source gives now; `None` if it gives none."""
        try:
            secret = self._engine.secrets.open(key.name)
        except SecretError:
            return None
        listener.secret(secret.reveal())
        return secret

    def _around(self) -> Surroundings:
        engine = self._engine
        environ, scrubber = engine.environment.variables, engine.secrets.scrubber
        return Surroundings(self._base, environ, scrubber, self._salt(), keeps=engine.keeps)

    def _targets(self, key: Key, wanted: RotationRequest, snapshot: Snapshot) -> tuple[list[Target], list[str]]:
        """Return where the new secret goes, and what must be named again.

        For a rotation that was begun, the journal says it.
        """
        around = self._around()
        parse = partial(_parsed, key, around)
        rotation = snapshot.rotations.get(key.name)
        if wanted.aim is not Aim.BEGIN and rotation is not None and rotation.places:
            return journalled([place.label for place in rotation.places], wanted.to, parse)
        if wanted.aim is Aim.ROLL_BACK:
            return [], []
        return chosen(wanted.to, partial(own_target, key, around), parse), []

    def _management(
        self, key: Key, wanted: RotationRequest, snapshot: Snapshot, listener: RotationListener
    ) -> Secret | str:
        """Return the management secret where one is needed, else why there is none.

        Raises:
            UsageError: the provider has no way to make keys.
            ConfigError: `management_secret` is not set.
            SecretError: it names a place without a secret.
        """
        rotation = snapshot.rotations.get(key.name)
        if not wanted.resolved.mint and (rotation is None or not rotation.name):
            return f"{key.name} was not made by lbk, so no management key was looked for."
        if key.provider is not Provider.OPENROUTER:
            raise UsageError(
                f"--mint: {key.provider} has no way to make keys but by hand: {KEYS_PAGE[key.provider]}. Make one "
                f"there, then run: lbk rotate {key.name}"
            )
        reference = self._engine.config.providers[key.provider].management_secret
        if reference is None:
            raise ConfigError(
                "--mint needs a management key: set management_secret in [providers.openrouter] to where it is, for "
                'instance "env:OPENROUTER_MANAGEMENT_KEY". They are made at '
                "https://openrouter.ai/settings/management-keys."
            )
        secret = self._opened("providers.openrouter.management_secret", reference)
        listener.secret(secret.reveal())
        return secret

    def _opened(self, name: str, reference: str) -> Secret:
        engine = self._engine
        place = Key(name, Provider.OPENROUTER, reference)
        key_path = engine.state.fingerprint_key
        secrets = Secrets([place], engine.environment.variables, self._base, key_path, create_key=True)
        try:
            secret = secrets.open(name)
        except SecretError:
            raise SecretError(f"{name} gives no secret: {secrets.problem(name)}. Mend that.") from None
        engine.secrets.scrubber.learn(secret)
        return secret


def _sighted(held: Mapping[str, str], snapshot: Snapshot, now: datetime) -> tuple[Snapshot, None]:
    for name, fingerprint_ in held.items():
        snapshot = record(snapshot, Sighted(name, fingerprint_), now)
    return snapshot, None


def _parsed(key: Key, around: Surroundings, text: str) -> Target:
    return parse_target(text, key, around)


def _remark(target: Target) -> str | None:
    from lollmsbot_keys.edges.targets.dotenv import DotenvTarget

    return target.remark() if isinstance(target, DotenvTarget) else None
