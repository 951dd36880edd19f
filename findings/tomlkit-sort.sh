#!/usr/bin/env bash
# tomlkit: sort() of an array sorts what Python sees, and not what is written; of an array of tables it sorts nothing.
#
# Expected: tomlkit's arrays are lists, and a list that was sorted is written sorted. pop, insert, append and reverse do so.
# Seen: after sort() the document says [1, 2, 3] to Python and writes [3, 1, 2]. For [[keys]] even Python sees the old order.
# Assigning a sorted list to [[keys]][:] is taken, and what is written then is no TOML any more. There is no error anywhere.
# It matters where the order in a file is the order of keys to try: a tool that sorts, checks and saves has changed nothing.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "tomlkit==0.15.2" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import sys, tomllib
import tomlkit
print("tomlkit", tomlkit.__version__)

def written(document):
    try:
        return tomllib.loads(tomlkit.dumps(document))
    except tomllib.TOMLDecodeError as error:
        return type(error).__name__

def show(what, document):
    pair = document.unwrap(), written(document)
    print(f"\n== {what}\nPython sees: {pair[0]}\nit writes:   {tomlkit.dumps(document)!r}\nread again:  {pair[1]}")
    return pair

array = tomlkit.parse("order = [3, 1, 2]\n")
array["order"].sort()
sorted_array = show("order = [3, 1, 2], sort()", array)

array = tomlkit.parse("order = [3, 1, 2]\n")
array["order"].reverse()
reversed_array = show("order = [3, 1, 2], reverse()", array)

TABLES = "[[keys]]\nname = 'b'\n[[keys]]\nname = 'a'\n"
tables = tomlkit.parse(TABLES)
tables["keys"].sort(key=lambda key: key["name"])
sorted_tables = show("[[keys]] b and a, sort(key=…)", tables)

tables = tomlkit.parse(TABLES)
tables["keys"][:] = sorted(tables["keys"], key=lambda key: key["name"])
sliced_tables = show("[[keys]] b and a, keys[:] = sorted(…)", tables)

old, new = {"keys": [{"name": "b"}, {"name": "a"}]}, {"keys": [{"name": "a"}, {"name": "b"}]}
sys.exit(0 if sorted_array == ({"order": [1, 2, 3]}, {"order": [3, 1, 2]})
         and reversed_array == ({"order": [2, 1, 3]}, {"order": [2, 1, 3]})
         and sorted_tables == (old, old) and sliced_tables == (new, "TOMLDecodeError") else 1)
PYTHON

if venv/bin/python ask.py; then
    printf '\nSeen: sorted for the program, unsorted in the file.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
