"""The environment variables that lbk reads, and the files that it reads and keeps."""

from __future__ import annotations

from lollmsbot_keys.cli.introspect import Command
from lollmsbot_keys.core.base.namedtuple import NamedTuple


class Thing(NamedTuple):
    """A variable or a file.

    `option`: it concerns the commands with that option; `None`: it concerns every command.
    """

    name: str
    meaning: str
    option: str | None = None


_CONFIG, _STATE = "~/.config/lollmsbot-keys", "~/.local/state/lollmsbot-keys"


def variables() -> tuple[Thing, ...]:
    """Return the environment variables, the most wanted first.

    An empty variable counts as unset.
    """
    from lollmsbot_keys.commands.config import set_by_variables

    return (
        Thing("LBK_CONFIG", "The config file. --config goes before it.", "--config"),
        Thing("LBK_STATE", "The state file. --state goes before it.", "--state"),
        Thing("LBK_LOG_FILE", "The log. --log-file goes before it; it goes before file in [log].", "--log-file"),
        Thing(
            "OLLAMA_API_KEY, OLLAMA_API_KEY_2, OPENROUTER_API_KEY_1, OPENROUTER_API_KEY_2, OPENROUTER_API_KEY_3",
            "The secrets of the keys of these names, and so for each key whose secret is not said to be elsewhere.",
        ),
        *(Thing(name, f"Stands over {setting} in the configuration.") for name, setting in set_by_variables().items()),
        Thing(
            "LBK_PLAIN", "Anything but 0, false, no or off: as NO_COLOR, and tables as paragraphs, to be read aloud."
        ),
        Thing("NO_COLOR", "Neither colour nor drawing."),
        Thing(
            "FORCE_COLOR, CLICOLOR_FORCE",
            "Anything but 0, false, no or off: colour and drawing in pipes and files too.",
        ),
        Thing("CLICOLOR", "0: neither colour nor drawing, unless colour is forced."),
        Thing("TERM", "dumb, unknown, or unset: neither colour nor drawing."),
        Thing("COLUMNS", "How wide a line may be, instead of what the terminal says."),
        Thing(
            "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY", "The proxy, and what to reach without it; never loopback."
        ),
        Thing("SSL_CERT_FILE, SSL_CERT_DIR", "Authorities for TLS, instead of certifi's."),
        Thing("XDG_CONFIG_HOME, XDG_STATE_HOME, HOME", "Where ~/.config and ~/.local/state are (Linux)."),
        Thing("GITHUB_ACTIONS, GITHUB_STEP_SUMMARY", "In GitHub Actions: secrets masked, annotations, a summary."),
        Thing("LBK_SANDBOX_URL", "Set for CMD: where the sandbox tells what it was asked.", "--fault"),
    )


def files() -> tuple[Thing, ...]:
    """Return the files, with their places on Linux.

    On macOS and Windows they are where such files belong there.
    """
    return (
        Thing(f"{_CONFIG}/config.toml", "The configuration; there need not be one (lbk config init).", "--config"),
        Thing(
            f"{_STATE}/state.json",
            "What all processes share: limits, cooldowns, budgets, today's ledger. No secret, no prompt. Its lock, its "
            "last good copy and caches lie beside it.",
            "--state",
        ),
        Thing(
            f"{_STATE}/history/",
            "Days that are over, one file a month, for 400 days. For a state by another name, say a.json: a-history/.",
            "--state",
        ),
        Thing(
            f"{_STATE}/unsettled/",
            "What calls cost while the state could not be written. The next lbk that can write it books them.",
            "--state",
        ),
        Thing(
            f"{_STATE}/fingerprint.key",
            "Makes fingerprints of secrets worthless elsewhere. Without it every key seems to have a new secret.",
            "--state",
        ),
        Thing("NAME, NAME.1 to NAME.5", "The log, where one is kept; it is put aside at 10 MB.", "--log-file"),
    )


def of(command: Command, things: tuple[Thing, ...]) -> list[Thing]:
    """Return those of `things` that the command, or one below it, has an option for."""
    flags = {flag for one in command.walk() for option in one.options for flag in option.flags}
    return [thing for thing in things if thing.option in flags]
