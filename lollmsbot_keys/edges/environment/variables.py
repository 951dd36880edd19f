"""The process's environment variables; only this module of the package reads them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from lollmsbot_keys.core.base.namedtuple import NamedTuple
from lollmsbot_keys.core.base.output_style import OutputStyle
from lollmsbot_keys.errors import ConfigError

APP = "lollmsbot-keys"
_HELPFUL = (
    "PATH|LD_LIBRARY_PATH|HOME|USER|LOGNAME|TZ|TMPDIR|LANG|LANGUAGE|LC_[A-Z]+"
    "|(HTTP|HTTPS|ALL|NO)_PROXY|(http|https|all|no)_proxy|REQUEST_METHOD"
    "|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE"
    "|DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|XDG_RUNTIME_DIR"
    "|(?i:SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|TEMP|TMP|USERPROFILE|APPDATA|LOCALAPPDATA)"
)
"""Variables without a key in them. A proxy's URL may hold a password, which the user of the proxy needs."""


class Environment(NamedTuple):
    """The environment variables as a value, whose `repr` shows none of them.

    An empty variable counts as unset.
    """

    variables: Mapping[str, str]

    @classmethod
    def here(cls) -> Environment:
        """Return this process's variables, as they are now."""
        return cls(dict(os.environ))

    def __repr__(self) -> str:
        return f"Environment({len(self.variables)} variables)"

    def get(self, name: str) -> str | None:
        """Return the variable's value; `None` where it is unset or empty."""
        return self.variables.get(name) or None

    @property
    def github_actions(self) -> bool:
        """Whether this is a run of GitHub Actions, which sets the variable to `true`."""
        return self.get("GITHUB_ACTIONS") == "true"

    @property
    def step_summary(self) -> Path | None:
        """The file that a step of GitHub Actions may add Markdown to."""
        named = self.get("GITHUB_STEP_SUMMARY")
        return Path(named) if named is not None and self.github_actions else None

    @property
    def output_style(self) -> OutputStyle:
        """The style of the output.

        https://no-color.org wins, then a variable that forces colour, then the terminal's own word.
        """
        spoken = self._is_on("LBK_PLAIN")
        unwanted = spoken or self.get("NO_COLOR") is not None
        forced = not unwanted and (self._is_on("FORCE_COLOR") or self._is_on("CLICOLOR_FORCE"))
        term = self.get("TERM") or ("" if sys.platform == "win32" else "dumb")
        dumb = term in {"dumb", "unknown"}
        plain = unwanted or (not forced and (dumb or self.get("CLICOLOR") == "0"))
        return OutputStyle(plain, forced, plain or dumb, spoken, self._columns)

    @property
    def _columns(self) -> int | None:
        """The line width in `COLUMNS`, where that is a possible one."""
        said = self.get("COLUMNS") or ""
        return int(said) if re.fullmatch("[0-9]{1,4}", said) and int(said) else None

    def _is_on(self, name: str) -> bool:
        """Say whether a switch is set to anything but a no."""
        return (self.get(name) or "0").lower() not in {"0", "false", "no", "off"}

    def config_path(self, option: Path | None = None) -> tuple[Path, bool]:
        """Return the config file's path, and whether somebody named it (then it must exist).

        Raises:
            ConfigError: the name begins with the home folder of a user who does not exist, or names no file.
        """
        named = self._named("--config", option, "LBK_CONFIG")
        if named is not None:
            return named, True
        return self._folder("XDG_CONFIG_HOME", ".config") / APP / "config.toml", False

    def state_path(self, option: Path | None = None) -> Path:
        """Return the state file's path.

        Raises `ConfigError` as `config_path` does.
        """
        named = self._named("--state", option, "LBK_STATE")
        if named is not None:
            return named
        return self._folder("XDG_STATE_HOME", ".local/state") / APP / "state.json"

    def log_path(self, option: Path | None = None, setting: Path | None = None) -> Path | None:
        """Return the log's path: that of `--log-file`, else of the variable, else `setting`.

        Raises as `config_path` does.
        """
        named = self._named("--log-file", option, "LBK_LOG_FILE")
        return named if named is not None or setting is None else self._named("log.file", setting, "")

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy that the usual variables name for `url`; never one for a loopback address.

        The answer may hold a password: it is for the connection only, not for printing.
        """
        from lollmsbot_keys.edges.environment.proxy import proxy_for  # only on the way to the network

        return proxy_for(self.variables, url)

    @property
    def for_helpers(self) -> dict[str, str]:
        """The variables for programs of others, none of which holds a key.

        They are needed to start, to reach the network and to show something.
        """
        return {name: value for name, value in self.variables.items() if re.fullmatch(_HELPFUL, name)}

    def _named(self, name: str, option: Path | None, variable: str) -> Path | None:
        value = option if option is not None else self.get(variable)
        if value is None:
            return None
        source = name if option is not None else variable
        try:
            path = Path(value).expanduser()
        except RuntimeError:
            raise ConfigError(f"{source}: no such home folder: {Path(value).parts[0]}. Give a full path.") from None
        if path.name in {"", ".."}:  # ".", "/" and nothing at all have none
            raise ConfigError(f"{source}: {value} is a folder. Give the path of a file.")
        return path

    def _folder(self, variable: str, default: str) -> Path:
        """Return the user's folder of one kind: by the XDG rules on Linux, by platformdirs elsewhere.

        platformdirs takes 10 ms to import.
        """
        if not sys.platform.startswith("linux"):
            import platformdirs

            return Path(platformdirs.user_config_dir() if "CONFIG" in variable else platformdirs.user_state_dir())
        named = self.get(variable)
        if named is not None and named.startswith("/"):  # the specification ignores relative ones
            return Path(named)
        home = self.get("HOME")
        try:
            return (Path(home) if home is not None else Path.home()) / default
        except RuntimeError:
            raise ConfigError(f"no home folder is known. Set HOME or {variable}, or give full paths.") from None
