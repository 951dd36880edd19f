"""The output of `lbk costs --csv`: a table for spreadsheets, after RFC 4180."""

from __future__ import annotations

import csv
import re
from io import StringIO

from lollmsbot_keys.core.model.statement import By, Row, Statement
from lollmsbot_keys.core.security.sanitize import clean_line

COLUMNS = (
    "since",
    "until",
    "timezone",
    "by",
    "name",
    "provider",
    "calls",
    "errors",
    "failovers",
    "prompt_tokens",
    "completion_tokens",
    "cost_usd",
    "estimated_usd",
    "unconfirmed_usd",
    "unknown_usd",
)
"""The columns, the same for every grouping; new ones are only ever added at the end."""

_FORMULA = re.compile("(^|[;,|][\"' ]*)(?=[=+@\uff1d\uff0b\uff0d\uff20-])")
"""The places where a formula could begin (OWASP, CSV injection).

That is the start of the text, in wide characters too, or the place after a character at which a spreadsheet of another
country divides cells.
"""


def statement_csv(statement: Statement) -> str:
    """Return a header and one record for each row.

    There is no total, which the spreadsheet would add up again. Amounts are exact decimals. Lines end in CR LF, as
    the RFC wants.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in statement.rows:
        writer.writerow(_record(row, statement))
    return text.getvalue()


def _record(row: Row, statement: Statement) -> tuple[object, ...]:
    since, until = (row.name, row.name) if statement.by is By.DAY else statement.span
    sums = row.sums
    amounts = (sums.cost_usd, sums.estimated_usd, sums.unconfirmed_usd, sums.unknown_usd)
    return (
        since,
        until,
        statement.summary.zone,
        statement.by.value,
        _harmless(row.name),
        row.provider.value if row.provider is not None else "",
        sums.calls,
        sums.errors,
        sums.failovers,
        sums.prompt_tokens,
        sums.completion_tokens,
        *(f"{amount:f}" for amount in amounts),
    )


def _harmless(name: str) -> str:
    """Return a name that no spreadsheet takes for a formula.

    A model's name is text that somebody typed.
    """
    return _FORMULA.sub(r"\1'", clean_line(name))
