"""`lbk costs`: calls and money of today, or of any days that are still kept."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.core.model.alert import Alert
from lollmsbot_keys.core.model.statement import By, Gap, Statement
from lollmsbot_keys.core.money.amounts import budget_day
from lollmsbot_keys.errors import UsageError
from lollmsbot_keys.runtime import Engine


class Costs(NamedTuple):
    """The costs that were found, the time of it, and how output should look."""

    statement: Statement
    now: datetime
    output_style: OutputStyle
    warnings: tuple[str, ...]
    alerts: tuple[Alert, ...] = ()


class CostsQuery(NamedTuple):
    """The days to look at, and the kind of rows: today, this month so far, or since a day."""

    by: By = By.KEY
    month: bool = False
    since: date | None = None


def costs(config: Path | None, state: Path | None, wanted: CostsQuery, *, alerts: bool = False) -> Costs:
    """Return what the wanted days cost so far; with `alerts`, also what people must be told.

    Changes nothing.

    Raises:
        UsageError: the first day is still to come.
        ConfigError, StateError: see `errors`.
    """
    engine = Engine.open(config, state, create=False)
    statement = engine.statement(wanted.by, _first_day(engine, wanted))
    folder = engine.state.history
    warnings = (*engine.warnings, *(_warning(gap, folder) for gap in statement.gaps))
    now = engine.clock()
    return Costs(statement, now, engine.environment.output_style, warnings, _alerts(engine, now) if alerts else ())


def _alerts(engine: Engine, now: datetime) -> tuple[Alert, ...]:
    from lollmsbot_keys.alerting import holding

    return holding(engine, now)


def _first_day(engine: Engine, wanted: CostsQuery) -> date | None:
    today = budget_day(engine.clock(), engine.config.timezone)
    if wanted.month:
        return today.replace(day=1)
    if wanted.since is not None and wanted.since > today:
        zone = engine.config.timezone
        raise UsageError(
            f"--since {wanted.since} is still to come: it is {today} in {zone} (see timezone in lbk config)."
        )
    return wanted.since


def _warning(gap: Gap, folder: Path) -> str:
    """Say what is missing, and what to do about it."""
    file = folder / f"{gap.month}.json"
    lost = "some days" if gap.lacking_usd is None else f"{gap.lacking_usd:f} USD"
    aside = f" {gap.damaged} beside it was set aside because it is damaged." if gap.damaged else ""
    return (
        f"{file} lacks {lost} of {gap.month}, and so does this report; budgets do not. Restore it from a backup.{aside}"
    )
