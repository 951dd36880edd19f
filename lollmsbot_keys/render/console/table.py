"""A page of Rich's that is made for its reader, and tables for it.

No figure of a table is cut to make room: it would be a wrong figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import IO, Any, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Span, Text

from lollmsbot_keys.render.console.ascii_fallback import stand_in
from lollmsbot_keys.render.console.encoding import GAP, can_print

LEAST = 16
"""Characters that a column needs to be read, if its text is broken over several lines."""

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
    r"\u00ad\u200b\u2060-\u2064\ufeff\U000e0000-\U000e007f]"
)
"""Terminal control, and characters that no terminal shows: names that differ by them look the same."""


class PageConsole(Console):
    """A console that reads no environment.

    `spoken`: the page is heard, not seen.
    """

    def __init__(self, file: IO[str], *, width: int, colours: Literal["auto", "standard"] | None, spoken: bool) -> None:
        super().__init__(
            file=file,
            width=width,
            height=100,  # else Rich looks for a size of its own
            no_color=colours is None,
            color_system=colours,
            force_terminal=colours is not None,
            force_interactive=False,
            force_jupyter=False,
            markup=False,
            highlight=False,
            emoji=False,
            safe_box=True,
        )
        self.spoken = spoken

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - whatever Rich can print
        """Print the characters that stdout's encoding has, and similar ones for the rest."""
        super().print(*(shown(one) if isinstance(one, str | Text) else one for one in objects), **options)


class Grid:
    """An aligned table without lines.

    Columns in `wraps` give way when the terminal is narrow, the others never do. Where that does not help, and for
    people who listen, each row becomes a paragraph: the text of its first column, then a line for each of the others
    with its heading.
    """

    def __init__(self, headings: Sequence[str], *, right: Sequence[str] = (), wraps: Sequence[str] = ()) -> None:
        self._headings, self._right, self._wraps = list(headings), right, wraps
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str | Text, style: str = "") -> None:
        """Add one cell for each heading; the last ones may be missing."""
        missing = [""] * (len(self._headings) - len(cells))
        self._rows.append(([shown(cell) for cell in (*cells, *missing)], style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        spoken = isinstance(console, PageConsole) and console.spoken
        if spoken or self._least > options.max_width:
            yield from self._paragraphs(options.max_width)
        else:
            yield self._table()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._table())

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", expand=False)
        table.show_header = any(heading.strip() for heading in self._headings)
        for heading in self._headings:
            table.add_column(
                heading,
                justify="right" if heading in self._right else "left",
                no_wrap=heading not in self._wraps,
                overflow="fold",
            )
        for cells, style in self._rows:
            table.add_row(*cells, style=style)
        return table

    @property
    def _least(self) -> int:
        """The width of the narrowest terminal that shows it as a table."""
        columns = zip(self._headings, *([cell.plain for cell in cells] for cells, _ in self._rows), strict=True)
        return sum(self._need(*column) for column in columns) + GAP * (len(self._headings) - 1)

    def _need(self, heading: str, *cells: str) -> int:
        longest = max(cell_len(line) for cell in (heading, *cells) for line in (cell.split("\n") or [""]))
        return min(longest, LEAST) if heading in self._wraps else longest

    def _paragraphs(self, width: int) -> Iterator[RenderableType]:
        indent = GAP if width >= 2 * LEAST else 0
        names = [heading.replace("\n", "").strip() for heading in self._headings]
        named = [place for place, name in enumerate(names) if name]
        begin = named[1] if len(named) > 1 else len(names)  # what stands around the first name belongs to it
        for cells, style in self._rows:
            said = [(place, cell) for place, cell in enumerate(cells) if cell.plain.strip(" –-")]
            yield Text(" ", style=style or "bold").join(cell for place, cell in said if place < begin)
            for place, cell in said:
                if place >= begin:
                    line = Text(f"{names[place]}: " if names[place] else "", style=style).append_text(cell)
                    yield Padding(line, (0, 0, 0, indent))


def shown(text: str | Text) -> Text:
    """Return `text` in characters that can be seen, and that stdout's encoding has."""
    found = Text(text) if isinstance(text, str) else text
    if can_print(found.plain) and not _UNSEEN.search(found.plain):
        return found
    pieces = [_visible(char) for char in found.plain]
    at = [0, *accumulate(map(len, pieces))]
    spans = [Span(at[span.start], at[min(span.end, len(pieces))], span.style) for span in found.spans]
    return Text("".join(pieces), style=found.style, spans=spans)


def _visible(char: str) -> str:
    if _UNSEEN.match(char):
        return ""
    return char if can_print(char) else stand_in(char)
