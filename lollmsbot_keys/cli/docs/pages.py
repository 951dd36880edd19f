"""The pages, one for each command and subcommand."""

from __future__ import annotations

from lollmsbot_keys.cli.docs.types import MEANINGS, Example, ManualPage
from lollmsbot_keys.errors import Exit

PAGES = {
    "": ManualPage(
        """Keep a pool of LLM keys healthy: which work, which to use now, what they cost, when to replace them.

Keys that are limited, refused, spent or over budget are left out for as long as the provider says, and the next one
answers. All shells, cron jobs and agents share what is learnt, and the budgets.""",
        (
            Example("does each key work, and what may it still do?", "lbk test-keys"),
            Example("ask whichever key may answer now", 'lbk ask "Why is the sky blue?"'),
            Example("which key would that be, and why not the others?", "lbk route"),
            Example("see all of it without a key or a network", 'lbk sandbox -- lbk ask -v "Hello"'),
        ),
        {Exit.NO: MEANINGS[Exit.NO], Exit.REFUSED: MEANINGS[Exit.REFUSED], Exit.FAILED: MEANINGS[Exit.FAILED]},
    ),
    "test-keys": ManualPage(
        """Prove each key against its provider, and say what it may still do, and which models are still to be had.

A key is proved by a call that the provider refuses without one, and that costs nothing. What is found out feeds
routing at once: a refused key is disabled, a good one enabled, a used up one left out until its limit begins anew.""",
        (
            Example("all keys, all at once", "lbk test-keys"),
            Example("one key, with a real call of one token too", "lbk test-keys OLLAMA_API_KEY --deep"),
            Example(
                "the names of those that are not good",
                "lbk test-keys --json | jq -r '.keys[] | select(.verdict != \"valid\") | .key'",
            ),
            Example("what a refused key looks like", "lbk sandbox -f OLLAMA_API_KEY=401 -- lbk test-keys"),
        ),
        {
            Exit.DONE: "every key that is present is valid",
            Exit.NO: "one is not, or none is present",
        },
    ),
    "ask": ManualPage(
        """Send a prompt to the best key there is now, and print the answer as it comes.

When a key fails before the first word is seen, the next one is tried; after it, nothing is ever sent twice. With --json
or --no-stream no word is seen before the last. The plan is the one that lbk route prints.

The answer alone is on standard output, everything else on standard error. Standard input is added to the prompt,
unless it is a terminal.""",
        (
            Example("ask whichever key may answer now", 'lbk ask "Why is the sky blue?"'),
            Example("as a pillar and its role, with a file or a pipe", "git diff | lbk ask -p heartbeat --role healer"),
            Example("on this machine or nowhere", "lbk ask --privacy critical -m gemma3:27b < diary.txt"),
            Example("if all keys are out, wait for the first", 'lbk ask --wait 5m --json "Hello" | jq -r .text'),
        ),
        {
            Exit.DONE: "answered",
            Exit.REFUSED: "refused before any call: no key may take it now",
            Exit.FAILED: MEANINGS[Exit.FAILED],
        },
    ),
    "route": ManualPage(
        """Say which key would take a request now, and why not the others. Sends nothing, changes nothing.

It is the very plan that lbk ask with the same options follows.""",
        (
            Example("anything", "lbk route"),
            Example("a role's own key and model come first", "lbk route --pillar guardian --role auditor"),
            Example("in a script", 'key=$(lbk route -q) || echo "no key is free"'),
            Example("what if?", "lbk route --assume OLLAMA_API_KEY=cooling_down --at +2h"),
            Example("why did the last question go where it went?", "lbk route --replay last"),
        ),
        {
            Exit.DONE: "a key may take it (with --replay: it is explained)",
            Exit.REFUSED: "nothing may take it now",
        },
    ),
    "costs": ManualPage(
        """Show calls, tokens and money, what is held for calls on their way, the budgets, and where they are heading.

Amounts marked ~ are estimates, * have no known price and count at their bound, ? are of calls whose end nobody saw.""",
        (
            Example("today, by key, with budgets and forecasts", "lbk costs"),
            Example("this month, by model", "lbk costs --month --by model"),
            Example("days as bars", "lbk costs --since 2026-10-01 --by day"),
            Example("for a spreadsheet", "lbk costs --month --by pillar --csv > november.csv"),
            Example("for a program", "lbk costs --json | jq .total.cost_usd"),
            Example("for cron, which mails what is printed", "lbk costs --alert"),
            Example("is somebody else using my keys?", "lbk costs --reconcile --month"),
        ),
        {
            Exit.NO: "--alert: something must be told; --reconcile: a difference remains that nothing explains",
            Exit.FAILED: "--reconcile: no provider could be asked",
        },
    ),
    "metrics": ManualPage(
        """Tell a monitoring system how the pool is: Prometheus text from the shared state. Changes nothing there.

The dashboard and the rules are made for your keys, providers, budgets and alerts.at_percent.""",
        (
            Example("look at it", "lbk metrics"),
            Example("from cron, for node_exporter", "lbk metrics -o /var/lib/prometheus/node-exporter/lbk.prom"),
            Example("at a port, measured at every scrape", "lbk metrics --serve --listen 127.0.0.1:9847"),
            Example("a dashboard to import", "lbk metrics --grafana > lbk.json"),
            Example("alerts and recordings for Prometheus", "lbk metrics --rules > lbk.rules.yml"),
        ),
        {Exit.DONE: "done (with --serve: ended by Ctrl-C or SIGTERM)"},
    ),
    "reset-limits": ManualPage(
        """Clear cooldowns and disabled marks, and say what was cleared.

Money and hourly limits stay as they are. A key that is still limited will be left out again.""",
        (
            Example("try this key again", "lbk reset-limits OLLAMA_API_KEY"),
            Example("what would be cleared?", "lbk reset-limits --provider openrouter --dry-run"),
            Example("everything", "lbk reset-limits --all"),
        ),
    ),
    "rotate": ManualPage(
        """Replace a key's secret. The new one is proved before it is stored; the old one is kept until it has settled.

The new secret comes from a hidden prompt, from standard input, or from OpenRouter (--mint); never from an argument.
It goes where the key's own secret is, if that can be written, and to every --to: to all of them or to none. The old
one stays good for a time of grace, and lies beside the new one; then it is revoked, and shown to be refused. Every
step is journalled: after a crash anywhere --resume goes on and --rollback goes back.

A TARGET is dotenv:PATH#NAME, file:PATH, keyring:SERVICE/NAME, github:OWNER/REPO (also @ENVIRONMENT, or
github:orgs/NAME), or command:PROGRAM ARGUMENTS, which reads the secret from its standard input.""",
        (
            Example("asks for the new secret", "lbk rotate OLLAMA_API_KEY --to dotenv:.env#OLLAMA_API_KEY"),
            Example("or takes it from a password manager", "pass show new | lbk rotate OLLAMA_API_KEY --to file:key"),
            Example(
                "OpenRouter makes one like the old one",
                "lbk rotate OPENROUTER_API_KEY_1 --mint --to github:OWNER/REPO",
            ),
            Example("after the grace, or after a crash", "lbk rotate OPENROUTER_API_KEY_1 --resume"),
            Example("how old each is, and when it is due", "lbk rotate --due"),
        ),
        {
            Exit.DONE: "done, as far as it can be now",
            Exit.NO: "the new secret is refused, and nothing has changed; --due: one is overdue",
            Exit.USAGE: "wrong usage, no new secret, or another rotation stands in the way",
            Exit.UNUSABLE: "configuration, state, secret or output unusable, or a target cannot be written",
            Exit.FAILED: "the provider could not be asked",
        },
    ),
    "config": ManualPage(
        """Say where the configuration is, what is in force and why, and what is wrong with it.

There need not be a file. What it says is laid over the defaults, and environment variables over both.""",
        (
            Example("a file with every setting explained", "lbk config init"),
            Example("what is in force, and where it comes from", "lbk config show routing"),
            Example("what is wrong?", "lbk config check"),
        ),
        {
            Exit.NO: "a file is there already (init)",
            Exit.UNUSABLE: "something is wrong with it (check), or it or the output is unusable",
        },
    ),
    "config path": ManualPage(
        """Print the path of the config file, whether it is there or not.""",
        (Example("edit it, wherever it is", '${EDITOR:-vi} "$(lbk config path)"'),),
    ),
    "config show": ManualPage(
        """Print every setting in force, and whether it is a default or comes from the file or the environment.

KEY.PATH is one setting, or the beginning of several: routing, or providers.ollama.daily_budget_usd.""",
        (
            Example("everything that is in force", "lbk config show"),
            Example("one table, as a document", "lbk config show providers.ollama --json"),
            Example("only what is not as it is shipped", "lbk config show | grep -v 'default$'"),
        ),
    ),
    "config check": ManualPage(
        """Say everything that is wrong with the configuration, all at once.

It looks at the file, at the environment variables, and at endpoints that no secret may be sent to.""",
        (
            Example("what is wrong?", "lbk config check"),
            Example("is the new one right, before it is put in place?", "lbk config check --config new.toml"),
        ),
        {Exit.DONE: "nothing is wrong", Exit.UNUSABLE: "something is"},
    ),
    "config init": ManualPage(
        """Write a config file in which every setting is explained and commented out; never over an existing one.""",
        (
            Example("a file with every setting explained", "lbk config init"),
            Example("a first file somewhere else", "lbk config init --config ./lbk.toml"),
        ),
        {Exit.NO: "there is a file already, which stays as it is"},
    ),
    "sandbox": ManualPage(
        """Rehearse offline: Ollama Cloud, OpenRouter and a local Ollama on loopback, with made-up keys.

CMD runs with configuration, state and keys of its own, and lbk inside it is this very installation. Nothing leaves
the machine, nothing of yours is read or changed. Its exit code is ours.

KEY is a key's name, a provider (ollama, openrouter) or local; KEY@check, @list, @show or @manage is for requests
other than chat. Without CMD, what is printed makes another shell a part of the sandbox.""",
        (
            Example("one question", 'lbk sandbox -- lbk ask "Hello"'),
            Example("the first key is out of quota", 'lbk sandbox -f OLLAMA_API_KEY=429:1 -- lbk ask -v "Hello"'),
            Example("several faults, several commands", "lbk sandbox -f ollama=503 -- sh -c 'lbk ask Hi; lbk route'"),
            Example("which faults are there?", "lbk sandbox --list-faults"),
            Example("serve until Ctrl-C, for another shell", "lbk sandbox --shell fish"),
        ),
        {
            Exit.DONE: "as CMD ends; or served until Ctrl-C",
            126: "CMD cannot be started",
            127: "there is no such command",
        },
    ),
    "completion": ManualPage(
        """Print what teaches a shell to complete lbk's commands, options, and the names of your configuration.

Keys, pillars, roles and models are those of the configuration that the line being typed would use. Pressing TAB
sends nothing, changes nothing, and reads no secret.""",
        (
            Example("bash, for good", """echo 'eval "$(lbk completion bash)"' >> ~/.bashrc"""),
            Example("zsh, for good", "echo 'source <(lbk completion zsh)' >> ~/.zshrc"),
            Example("fish, for good", "echo 'lbk completion fish | source' > ~/.config/fish/completions/lbk.fish"),
        ),
    ),
}
"""The pages by the words that are typed after `lbk`, in the order of `COMMANDS`.

A subcommand's page comes after its group's.
"""
