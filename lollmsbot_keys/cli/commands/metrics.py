"""`lbk metrics`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lollmsbot_keys.cli.exit import say
from lollmsbot_keys.cli.options import ConfigOption, JsonOption, StateOption
from lollmsbot_keys.errors import UsageError

if TYPE_CHECKING:
    from lollmsbot_keys.commands.metrics import Source


def metrics(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a file (*.prom) that node_exporter's textfile collector reads.",
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it at a port, measured at every scrape, until Ctrl-C.")
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="ADDR:PORT", help="Where to serve it (default: 127.0.0.1:9847)."),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option("--pool", metavar="TEXT", help="The label that tells pools apart (default: the state's path)."),
    ] = None,
    grafana: Annotated[bool, typer.Option("--grafana", help="Print a dashboard for Grafana.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Print recording and alerting rules for Prometheus.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Tell a monitoring system how the pool is: Prometheus text from the shared state. Changes nothing."""
    serve = serve or listen is not None
    if serve + grafana + rules + (output is not None) > 1:
        raise UsageError("Choose one of --output, --serve, --grafana and --rules.")
    from lollmsbot_keys.commands.metrics import Source

    where = Source(config, state, pool)
    if serve:
        _serve(where, listen, json=json)
    elif grafana or rules:
        _make(where, rules=rules, json=json)
    elif output is not None:
        _write(where, output, json=json)
    else:
        _print(where, json=json)


def _print(where: Source, *, json: bool) -> None:
    from lollmsbot_keys.commands.metrics import measure, text

    found = measure(where)
    for warning in found.warnings:
        say(warning)
    if json:
        from lollmsbot_keys.render.json_documents import document
        from lollmsbot_keys.render.monitoring.metrics_json import families_tree

        print(document(families_tree(found.families, found.pool)))
    else:
        print(text(found), end="")


def _write(where: Source, output: Path, *, json: bool) -> None:
    from lollmsbot_keys.commands.metrics import write

    done = write(where, output)
    for warning in done.warnings:
        say(warning)
    if json:
        from lollmsbot_keys.render.json_documents import document

        print(document({"output": str(done.path), "samples": done.samples}))


def _serve(where: Source, listen: str | None, *, json: bool) -> None:
    from lollmsbot_keys.commands.metrics import DEFAULT_LISTEN, address, serve

    place = address(listen or DEFAULT_LISTEN)

    def started(url: str) -> None:
        if json:
            from lollmsbot_keys.render.json_documents import document

            print(document({"url": url}), flush=True)
        else:
            say(f"serving {url}; Ctrl-C ends it")
        if not place.private:
            say("whoever reaches this address can read the names of your keys and what they cost")

    serve(where, place, started, say)


def _make(where: Source, *, rules: bool, json: bool) -> None:
    from lollmsbot_keys.commands.metrics import watched
    from lollmsbot_keys.render.json_documents import document

    config, warnings = watched(where.config)
    for warning in warnings:
        say(warning)
    if not rules:
        from lollmsbot_keys.render.monitoring.grafana import dashboard

        print(document(dashboard(config)))
        return
    from lollmsbot_keys.render.monitoring.prometheus_rules import rules_tree, rules_yaml

    print(document(rules_tree(config)) if json else rules_yaml(config), end="\n" if json else "")
