#!/usr/bin/env bash
# python-dotenv: a line `export A` behind `A=1` takes the value away.
#
# Expected: A is 1. Two lines are how a POSIX shell has it in the oldest form; others either read them or say that they
# cannot.
# Seen: dotenv_values gives None for A, load_dotenv sets nothing, and neither says a word. Without the second line, or with
# the two the other way round, A is 1.
# shellcheck disable=SC2016
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -q --disable-pip-version-check "python-dotenv==1.2.4" || exit 2
cd "$folder"
venv/bin/python -c 'from importlib.metadata import version; print("python-dotenv", version("python-dotenv"))'

printf '%s\n' 'A=1' 'export A' >after.env
printf '%s\n' 'export A' 'A=1' >before.env
cat >read.py <<'PYTHON'
import os, sys
from dotenv import dotenv_values, load_dotenv
os.environ.pop("A", None)
load_dotenv(sys.argv[1])
print(f"dotenv_values: {dotenv_values(sys.argv[1])['A']!r}, load_dotenv: {os.environ.get('A', '(not set)')}")
PYTHON

for file in after before; do
    printf '\n== %s.env\n' "$file"
    cat "$file.env"
    printf 'sh: %s\n' "$(env -u A sh -c ". ./$file.env; printenv A")"
    venv/bin/python read.py "$file.env" >"$file.out" 2>&1
    printf 'python-dotenv: %s\n' "$(cat "$file.out")"
done

if [ "$(cat after.out)" = 'dotenv_values: None, load_dotenv: (not set)' ] &&
    [ "$(cat before.out)" = "dotenv_values: '1', load_dotenv: 1" ]; then
    printf '\nSeen: the value is gone, without a word.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
