#!/usr/bin/env bash
# together and groq (Python): a stream whose events are called "message" has no text; together takes an error event for the end.
#
# Expected: the standard (WHATWG, server-sent events) says that "message" is the name of an event that has none, so a line
# "event: message" changes nothing; and an event called "error" that has an error in it raises. openai's client, of which
# both are relatives, does so.
# Seen: together skips every event that has a name, also the error: an empty reply, and half a reply, both without an error.
# groq raises for the error, but gives chunks whose choices are None and that carry the real chunk in a field "data".
# It matters to whoever points these clients at a gateway that names its events: the call is billed, and half an answer or
# none counts as a success.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "together==3.1.1" \
    "groq==1.7.0" "openai==3.57.0" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version
from groq import Groq
from openai import OpenAI
from together import Together

def chunk(delta, reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return "data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                                  "choices": [choice]}) + "\n\n"

FIRST, REST = chunk({"role": "assistant", "content": "hel"}), [chunk({"content": "lo"}), chunk({}, "stop"), "data: [DONE]\n\n"]
ERROR = 'event: error\ndata: {"error": {"message": "overloaded", "type": "server_error", "code": 503}}\n\n'
CASES = {
    "without names": "".join([FIRST, *REST]),
    "event: message": "".join("event: message\n" + event for event in [FIRST, *REST]),
    "event: error": FIRST + ERROR,
}

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write(list(CASES.values())[int(self.path.split("/")[1])].encode())

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()

def read(client, number):
    made = client(api_key="x", base_url=f"http://127.0.0.1:{server.server_port}/{number}", max_retries=0)
    text = ""
    try:
        for part in made.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True):
            text += "(choices is None)" if part.choices is None else part.choices[0].delta.content or ""
    except Exception as error:
        text += f" {type(error).__name__}: {error}"
    return text

seen = []
for number, (case, text) in enumerate(CASES.items()):
    print(f"\n== {case}")
    for name, client in {"openai": OpenAI, "groq": Groq, "together": Together}.items():
        seen.append(read(client, number))
        print(f"{name} {version(name)}: {seen[-1]!r}")
sys.exit(0 if seen == ["hello", "hello", "hello",
                       "hello", "(choices is None)(choices is None)(choices is None)", "",
                       "hel APIError: overloaded", "hel APIError: overloaded", "hel"] else 1)
PYTHON

if venv/bin/python ask.py; then
    printf '\nSeen: together loses the text and the error, groq the text.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
