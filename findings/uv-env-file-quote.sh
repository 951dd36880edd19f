#!/usr/bin/env bash
# uv run --env-file: a $NAME right before the closing double quote loses its line and every line below it.
#
# Expected: URL="http://$HOST" is http:// and the host, as a shell, python-dotenv (with ${HOST}) and others have it; a line
# that cannot be read would end the run, or be left out alone.
# Seen: URL and all that stands below it are not set. There is a warning, the program runs all the same, and the exit code
# is 0. With one more character behind the name, or as ${HOST}, everything is there.
# shellcheck disable=SC2016
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -q --disable-pip-version-check "uv==0.13.9" || exit 2
cd "$folder"
"$folder/venv/bin/uv" --version

show='printf "URL=%s TOKEN=%s\n" "${URL-(not set)}" "${TOKEN-(not set)}"'
read_by_uv() { env -u URL -u TOKEN -u HOST venv/bin/uv run --no-project --env-file "$1" -- sh -c "$show"; }
read_by_sh() { env -u URL -u TOKEN -u HOST sh -c "set -a; . ./$1; $show"; }

printf '%s\n' 'HOST=db.example' 'URL="http://$HOST"' 'TOKEN=abc' >plain.env
printf '%s\n' 'HOST=db.example' 'URL="http://$HOST/"' 'TOKEN=abc' >slash.env
printf '%s\n' 'HOST=db.example' 'URL="http://${HOST}"' 'TOKEN=abc' >braces.env

for file in plain slash braces; do
    printf '\n== %s.env\n' "$file"
    cat "$file.env"
    printf 'sh: %s\n' "$(read_by_sh "$file.env")"
    code=0
    read_by_uv "$file.env" >"$file.out" 2>"$file.err" || code=$?
    printf 'uv: %s, exit code %s\n' "$(cat "$file.out")" "$code"
    sed 's/^/uv says: /' "$file.err"
    printf '%s' "$code" >"$file.code"
done

whole='URL=http://db.example TOKEN=abc'
if [ "$(cat plain.out)" = 'URL=(not set) TOKEN=(not set)' ] && [ "$(cat plain.code)" = 0 ] &&
    [ "$(cat braces.out)" = "$whole" ] && [ "$(read_by_sh plain.env)" = "$whole" ]; then
    printf '\nSeen: URL and the TOKEN below it are lost, and the exit code is 0.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
