#!/usr/bin/env bash
# uv run --env-file: of a name that stands twice in one file, the first value counts; of two files, the last.
#
# Expected: the last one, as for a shell, python-dotenv, and uv itself where two files are given.
# Seen: within a file uv takes the first. Whoever adds a line to the end of .env changes nothing for uv.
# shellcheck disable=SC2016
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -q --disable-pip-version-check "uv==0.13.9" "python-dotenv==1.2.4" || exit 2
cd "$folder"
venv/bin/uv --version
venv/bin/python -c 'from importlib.metadata import version; print("python-dotenv", version("python-dotenv"))'

printf '%s\n' 'A=one' 'A=two' >twice.env
printf '%s\n' 'A=one' >one.env
printf '%s\n' 'A=two' >two.env
printf '\n== twice.env\n'
cat twice.env

by_uv() { env -u A venv/bin/uv run -q --no-project "$@" -- sh -c 'printf %s "$A"'; }
shell=$(env -u A sh -c '. ./twice.env; printf %s "$A"')
library=$(env -u A venv/bin/python -c 'from dotenv import dotenv_values; print(dotenv_values("twice.env")["A"])')
in_one=$(by_uv --env-file twice.env)
in_two=$(by_uv --env-file one.env --env-file two.env)
printf 'sh: A=%s\npython-dotenv: A=%s\n' "$shell" "$library"
printf 'uv run --env-file twice.env: A=%s\nuv run --env-file one.env --env-file two.env: A=%s\n' "$in_one" "$in_two"

if [ "$in_one" = one ] && [ "$in_two" = two ] && [ "$shell" = two ] && [ "$library" = two ]; then
    printf '\nSeen: the first value of one file, the last of two files.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
