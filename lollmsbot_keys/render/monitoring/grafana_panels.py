"""The kinds of panels that a Grafana dashboard is made of, in its classic JSON model (schema version 39).

Field names and values are those of grafana/grafana's `kinds/dashboard` and of grafana-foundation-sdk's JSON schemas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lollmsbot_keys.core.base.namedtuple import NamedTuple

Tree = dict[str, object]
SOURCE: Tree = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
"""The Prometheus that the person at the dashboard chooses.

It is a variable, so that provisioning from a file works too.
"""

SLOWEST_FEED = "5m"
"""The shortest time that a query looks at: figures from a textfile change only as often as cron writes it."""
ENOUGH_CALLS = "30m"
"""The shortest interval of shares and percentiles: of the few calls in less time they say little."""


class Query(NamedTuple):
    """One PromQL expression, and the name of its series."""

    expression: str
    legend: str = ""
    instant: bool = False


class Look(NamedTuple):
    """The form of values: unit, scale, thresholds (value and colour, from the lowest up), and words for values."""

    unit: str
    thresholds: Sequence[tuple[float | None, str]] = ((None, "green"),)
    lowest: float | None = 0
    highest: float | None = None
    decimals: int | None = None
    words: Mapping[str, tuple[str, str]] = {}


class GridPosition(NamedTuple):
    """The place of a panel on the grid, which is 24 wide."""

    x: int
    y: int
    width: int
    height: int


class Panel(NamedTuple):
    """One panel, with the settings of its kind in `options` and `custom`."""

    kind: str
    title: str
    description: str
    queries: tuple[Query, ...]
    look: Look
    place: GridPosition
    options: Tree
    custom: Tree
    coloured_by_value: bool = True
    overrides: tuple[Tree, ...] = ()
    transformations: tuple[Tree, ...] = ()
    interval: str = SLOWEST_FEED


def panel_tree(number: int, panel: Panel) -> Tree:
    """Return the panel as Grafana reads it."""
    place = panel.place
    tree: Tree = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": {"x": place.x, "y": place.y, "w": place.width, "h": place.height},
        "interval": panel.interval,
        "targets": [_target(letter, query, panel) for letter, query in zip("ABCDEFGH", panel.queries, strict=False)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(panel.overrides)},
        "options": panel.options,
    }
    if panel.transformations:
        tree["transformations"] = list(panel.transformations)
    return tree


def _target(letter: str, query: Query, panel: Panel) -> Tree:
    return {
        "refId": letter,
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "range": not query.instant,
        "instant": query.instant,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> Tree:
    look = panel.look
    tree: Tree = {
        "unit": look.unit,
        "color": {"mode": "thresholds" if panel.coloured_by_value else "palette-classic"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in look.thresholds],
        },
        "mappings": [words(look.words)] if look.words else [],
        "custom": panel.custom,
    }
    limits = {"min": look.lowest, "max": look.highest, "decimals": look.decimals}
    return {**tree, **{name: value for name, value in limits.items() if value is not None}}


def words(by_value: Mapping[str, tuple[str, str]]) -> Tree:
    """Return a mapping of values to words and their colours."""
    return {
        "type": "value",
        "options": {
            value: {"text": text, "color": colour, "index": index}
            for index, (value, (text, colour)) in enumerate(by_value.items())
        },
    }


# --- kinds ---


def stat(title: str, description: str, expression: str, look: Look, place: GridPosition) -> Panel:
    """Make a panel with one number, and its course in the background."""
    options: Tree = {
        "reduceOptions": _last(),
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "textMode": "value",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "orientation": "auto",
    }
    return Panel("stat", title, description, (Query(expression),), look, place, options, {})


def course(
    title: str, description: str, queries: Sequence[Query], look: Look, place: GridPosition, *, stacked: bool = False
) -> Panel:
    """Make a panel with values over time, as lines, or as areas on top of each other."""
    custom: Tree = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 0,
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": False if stacked else 3_600_000,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off" if len(look.thresholds) == 1 else "dashed"},
    }
    options: Tree = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel("timeseries", title, description, tuple(queries), look, place, options, custom, False)  # noqa: FBT003


def bars(title: str, description: str, queries: Sequence[Query], look: Look, place: GridPosition) -> Panel:
    """Make a panel with one bar for each series as it is now."""
    options: Tree = {
        "reduceOptions": _last(),
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "color",
        "namePlacement": "left",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizHeight": 16,
        "maxVizHeight": 40,
        "minVizWidth": 8,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
    }
    return Panel("bargauge", title, description, tuple(queries), look, place, options, {})


def states(title: str, description: str, query: Query, look: Look, place: GridPosition) -> Panel:
    """Make a panel with the states that each series was in, and their durations."""
    custom: Tree = {"lineWidth": 0, "fillOpacity": 80, "spanNulls": False}
    options: Tree = {
        "alignValue": "center",
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "auto",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return Panel("state-timeline", title, description, (query,), look, place, options, custom)


class Column(NamedTuple):
    """A column of a table, and the expression that gives it one value a row."""

    title: str
    expression: str
    look: Look


def table(title: str, description: str, row: str, columns: Sequence[Column], place: GridPosition) -> Panel:
    """Make a table with one row for each value of the label `row`."""
    queries = tuple(Query(column.expression, instant=True) for column in columns)
    names = {f"Value #{letter}": column.title for letter, column in zip("ABCDEFGH", columns, strict=False)}
    arranged: Tree = {
        "excludeByName": {"Time": True},
        "indexByName": {name: place for place, name in enumerate(("Time", row, *names))},
        "renameByName": {row: row.title(), **names},
    }
    return Panel(
        "table",
        title,
        description,
        queries,
        Look("short", lowest=None),
        place,
        {
            "frameIndex": 0,
            "showHeader": True,
            "cellHeight": "sm",
            "footer": {"show": False, "reducer": [], "countRows": False},
        },
        {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        overrides=tuple(_column(column) for column in columns),
        transformations=({"id": "merge", "options": {}}, {"id": "organize", "options": arranged}),
    )


def _column(column: Column) -> Tree:
    look = column.look
    properties: list[Tree] = [{"id": "unit", "value": look.unit}]
    if look.words:
        properties.append({"id": "mappings", "value": [words(look.words)]})
    if look.decimals is not None:
        properties.append({"id": "decimals", "value": look.decimals})
    if look.words or len(look.thresholds) > 1:
        steps = [{"value": value, "color": colour} for value, colour in look.thresholds]
        properties.append({"id": "thresholds", "value": {"mode": "absolute", "steps": steps}})
        properties.append({"id": "custom.cellOptions", "value": {"type": "color-text"}})
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def _last() -> Tree:
    return {"calcs": ["lastNotNull"], "fields": "", "values": False}
