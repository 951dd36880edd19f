"""How a person wants output to look, as far as the environment says."""

from __future__ import annotations

from lollmsbot_keys.core.base.namedtuple import NamedTuple


class OutputStyle(NamedTuple):
    """The style of output that holds for every command.

    Whether there is a terminal at all is a question for the code that writes to it.
    """

    plain: bool = False
    """No colour and no drawing, also on a terminal."""
    forced: bool = False
    """Colour and drawing wherever output goes. Never together with `plain`."""
    still: bool = False
    """No line may rewrite itself: the terminal cannot, or a person listens."""
    spoken: bool = False
    """Tables as lines that make sense one by one."""
    columns: int | None = None
    """The characters of a line, if the environment says so."""
