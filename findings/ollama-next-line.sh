#!/usr/bin/env bash
# ollama (Python): a streamed reply that has the character U+0085 (NEL) or U+2028 in its text ends in a JSONDecodeError.
#
# Expected: the dialect is one JSON object a line, lines end with a line feed, and JSON allows both characters in a string as
# they are. (Go's encoder, which Ollama has, writes U+0085 as it is; U+2028 comes from other servers of this dialect.)
# Seen: the client takes both for the end of a line, and half an object is no JSON. The not streamed call reads the same
# text, and so does Ollama's own client for JavaScript (ollama 0.6.4).
# It matters because the reply was computed and billed, and a retry on the next key brings the same text: who retries on any
# error of the client pays for each key of the pool.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "ollama==0.6.3" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version
import ollama
TEXTS = {"plain": "a b", "nel": "a\u0085b", "u2028": "a\u2028b"}

def line(text, done):
    value = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", "content": text}, "done": done}
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        streamed = json.loads(self.rfile.read(int(self.headers["content-length"])))["stream"]
        text = TEXTS[self.path.split("/")[1]]
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson" if streamed else "application/json")
        self.end_headers()
        self.wfile.write(line(text, False) + line("", True) if streamed else line(text, True))

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ollama", version("ollama"), "httpx", version("httpx"))
call = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
seen = {}
for case, text in TEXTS.items():
    client = ollama.Client(host=f"http://127.0.0.1:{server.server_port}/{case}")
    whole = client.chat(**call).message.content
    try:
        streamed = "".join(part.message.content for part in client.chat(**call, stream=True))
    except Exception as error:
        streamed = f"{type(error).__name__}: {error}"
    seen[case] = whole == text, streamed if streamed != text else "the same"
    print(f"\n== {text!r}\nwhole:    {whole!r}\nstreamed: {streamed!r}")
broken = [answer.startswith("JSONDecodeError") for _, answer in seen.values()]
sys.exit(0 if all(same for same, _ in seen.values()) and broken == [False, True, True] else 1)
PYTHON

if venv/bin/python ask.py; then
    printf '\nSeen: two characters that are no end of a line end it.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
