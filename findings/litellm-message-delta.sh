#!/usr/bin/env bash
# LiteLLM, Anthropic stream: of two message_delta events the first one's output count is kept, and a null takes counts away.
#
# Expected: Anthropic's description says "one or more message_delta events", with cumulative counts. So 5 and then 9 is 9, and
# input_tokens null (OpenRouter's schema allows it there) leaves what message_start said. Anthropic's own client does so.
# Seen: the usage that LiteLLM gives at the end has 5, and with null the 100 input tokens and the 50 cached ones are gone.
# completion_cost follows it: the first call is booked too low, and the second at about a third.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "litellm==1.110.2" \
    "anthropic==2.15.0" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version
import anthropic, litellm
litellm.suppress_debug_info = True
START = {"input_tokens": 100, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 10, "output_tokens": 1}
CASES = {
    "one": [{"output_tokens": 9}],
    "two": [{"output_tokens": 5}, {"output_tokens": 9}],
    "null": [{"input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 9}],
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
call = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 20}

def by_anthropic(case):
    client = anthropic.Anthropic(api_key="x", base_url=f"{base}/{case}", max_retries=0)
    with client.messages.stream(model="claude-sonnet-4-5", **call) as reply:
        usage = reply.get_final_message().usage
    return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens, usage.output_tokens

def by_litellm(case):
    chunks = list(litellm.completion(model="anthropic/claude-sonnet-4-5", api_key="x", api_base=f"{base}/{case}",
                                     stream=True, stream_options={"include_usage": True}, max_retries=0, **call))
    usage = chunks[-1].usage
    cost = litellm.completion_cost(litellm.stream_chunk_builder(chunks))
    return (usage.prompt_tokens, usage.completion_tokens), cost

print("litellm", version("litellm"), "anthropic", version("anthropic"))
seen = {}
for case, deltas in CASES.items():
    own, (other, cost) = by_anthropic(case), by_litellm(case)
    seen[case] = own, other
    print(f"\n== message_start {json.dumps(START)}")
    for usage in deltas:
        print(f"   message_delta {json.dumps(usage)}")
    print(f"anthropic: (in with cache, out) {own}\nlitellm:   (in with cache, out) {other}, ${cost:.6f}")
right = (160, 9)
sys.exit(0 if seen == {"one": (right, right), "two": (right, (160, 5)), "null": (right, (10, 9))} else 1)
PYTHON

if LITELLM_LOCAL_MODEL_COST_MAP=True venv/bin/python ask.py; then
    printf '\nSeen: the first count stays, and null takes away what was known.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
