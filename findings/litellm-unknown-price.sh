#!/usr/bin/env bash
# LiteLLM: a model that is not in its price table costs 0.0 when its name looks like GPT or Claude, and is an error otherwise.
#
# Expected: one answer to "I do not know this price". For deepseek/…, gemini/… and xai/… that is ModelNotMappedError.
# Seen: openai/gpt-9, anthropic/claude-opus-9 and everything like them (also the real openrouter/openai/gpt-5, for the table
# has no row of OpenRouter) is 0.0, without an error. get_model_info gives a key that is not in the table, and price 0.
# It matters where a sum of costs guards a budget: a new model or a slip in a name ("claude-sonnet-4.5") is free for ever, and
# whoever catches the error to guess high never gets it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "litellm==1.110.2" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import sys
from importlib.metadata import version
import litellm
litellm.suppress_debug_info = True
print("litellm", version("litellm"), "with the price table in its wheel\n")
names = ["anthropic/claude-sonnet-4-5", "openai/gpt-9", "anthropic/claude-opus-9", "anthropic/claude-sonnet-4.5",
         "openrouter/openai/gpt-5", "azure/gpt-9", "gemini/gemini-9", "deepseek/deepseek-v9", "xai/grok-9"]
seen = {}
for name in names:
    bare = name.split("/", 1)[1]
    known = name in litellm.model_cost or bare in litellm.model_cost
    try:
        seen[name] = sum(litellm.cost_per_token(model=name, prompt_tokens=1_000_000, completion_tokens=1_000_000))
    except Exception as error:
        seen[name] = type(error).__name__
    print(f"{name:30} in the table: {str(known):5}  a million tokens in and out: {seen[name]}")
    if known != (name == names[0]):
        sys.exit("the table has changed")
free = [name for name in names if seen[name] == 0.0]
refused = [name for name in names if seen[name] == "ModelNotMappedError"]
sys.exit(0 if free == names[1:6] and refused == names[6:] and seen[names[0]] > 1 else 1)
PYTHON

if LITELLM_LOCAL_MODEL_COST_MAP=True venv/bin/python ask.py; then
    printf '\nSeen: five unknown prices are 0.0, three are errors.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
