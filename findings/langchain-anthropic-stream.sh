#!/usr/bin/env bash
# langchain-anthropic: in a streamed call the input is 0 tokens, unless the message_delta repeats what message_start said.
#
# Expected: message_start has the input's counts, message_delta the output's: so the examples of Anthropic's description have
# it, and so other servers of this dialect write it (Anthropic's own repeats the input's counts today). usage_metadata has
# both. Two message_delta events, which the description allows, have cumulative counts: 5 and then 9 is 9.
# Seen: message_start's usage is not read at all: input_tokens 0, no cached tokens. And 5 and then 9 is 14.
# Whoever counts costs from usage_metadata books the longer part of the call as nothing. The first half has been reported
# (langchain-ai/langchain#35509), for the second we found no report.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "langchain-anthropic==1.7.10" \
    "anthropic==2.15.0" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version
import anthropic
from langchain_anthropic import ChatAnthropic
START = {"input_tokens": 100, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 10, "output_tokens": 1}
CASES = {
    "repeated": [{**START, "output_tokens": 9}],
    "plain": [{"output_tokens": 9}],
    "two": [{"output_tokens": 5}, {"output_tokens": 9}],
}

def event(name, **fields):
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n"

def stream(deltas):
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
               "stop_reason": None, "stop_sequence": None, "usage": START}
    yield event("message_start", message=message)
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hello"})
    yield event("content_block_stop", index=0)
    for n, usage in enumerate(deltas, 1):
        reason = "end_turn" if n == len(deltas) else None
        yield event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage)
    yield event("message_stop")

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write("".join(stream(CASES[self.path.split("/")[1]])).encode())

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"

def by_anthropic(case):
    client = anthropic.Anthropic(api_key="x", base_url=f"{base}/{case}", max_retries=0)
    with client.messages.stream(model="claude-sonnet-4-5", max_tokens=20, messages=[{"role": "user", "content": "x"}]) as r:
        usage = r.get_final_message().usage
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens, usage.output_tokens

def by_langchain(case):
    model = ChatAnthropic(api_key="x", base_url=f"{base}/{case}", model="claude-sonnet-4-5", max_tokens=20, max_retries=0)
    chunks = list(model.stream("x"))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]

print("langchain-anthropic", version("langchain-anthropic"), "langchain-core", version("langchain-core"),
      "anthropic", version("anthropic"))
seen = {}
for case, deltas in CASES.items():
    seen[case] = by_anthropic(case), by_langchain(case)
    print(f"\n== message_start {json.dumps(START)}")
    for usage in deltas:
        print(f"   message_delta {json.dumps(usage)}")
    print("anthropic: (in with cache, out) {}\nlangchain: (in with cache, out) {}".format(*seen[case]))
right = (160, 9)
sys.exit(0 if seen == {"repeated": (right, right), "plain": (right, (0, 9)), "two": (right, (0, 14))} else 1)
PYTHON

if venv/bin/python ask.py; then
    printf '\nSeen: no input tokens, and the outputs of two events are added.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
