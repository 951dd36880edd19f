#!/usr/bin/env bash
# gpt-tokenizer (npm): estimateCost() has the price of GPT-4 Turbo for GPT-5, GPT-4.1 and GPT-4o, and that of o1 for o3.
#
# Expected: the package is of 2026, knows each of these models with its date and limits, and advertises prices. So a price is
# the model's own, or "No cost information available", as it says for gpt-5-mini and gpt-5.4.
# Seen: 10 and 30 dollars a million for gpt-5, gpt-4.1, gpt-4o and gpt-4-turbo alike, 15 and 60 for o1 and o3. genai-prices,
# installed beside it, has 1.25 and 10 for gpt-5, 2 and 8 for gpt-4.1 and o3, 2.5 and 10 for gpt-4o.
# It matters to whoever reserves money before a call: a budget refuses calls that would cost an eighth of what it believes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '{"private": true, "type": "module"}\n' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts "gpt-tokenizer@4.0.0" \
    "@pydantic/genai-prices@0.1.8" || exit 2

cat >ask.mjs <<'JAVASCRIPT'
import { readFileSync } from 'node:fs'
import { calcPrice } from '@pydantic/genai-prices'
for (const name of ['gpt-tokenizer', '@pydantic/genai-prices'])
    console.log(name, JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version)
console.log('\ndollars a million, in and out      gpt-tokenizer     genai-prices')
const million = 1_000_000
// A small call, times its size: some models cost more above a limit.
const other = model => ['input_tokens', 'output_tokens'].map(kind => {
    const price = calcPrice({ input_tokens: 0, output_tokens: 0, [kind]: 1000 }, model, { providerId: 'openai' })
    return Number((price.total_price * 1000).toPrecision(6))
}).join(' ')
const seen = {}
for (const model of ['gpt-4-turbo', 'gpt-4o', 'gpt-4.1', 'gpt-5', 'o1', 'o3', 'gpt-5-mini']) {
    const { estimateCost } = await import(`gpt-tokenizer/model/${model}`)
    let own
    try {
        const { main } = estimateCost(million)
        own = `${main.input} ${main.output}`
    } catch (error) {
        own = error.message.split(':')[0]
    }
    seen[model] = [own, other(model)]
    console.log(model.padEnd(34), own.padEnd(17), seen[model][1])
}
const expected = {
    'gpt-4-turbo': ['10 30', '10 30'], 'gpt-4o': ['10 30', '2.5 10'], 'gpt-4.1': ['10 30', '2 8'], 'gpt-5': ['10 30', '1.25 10'],
    o1: ['15 60', '15 60'], o3: ['15 60', '2 8'], 'gpt-5-mini': ['No cost information available for model', '0.25 2'],
}
process.exit(JSON.stringify(seen) === JSON.stringify(expected) ? 0 : 1)
JAVASCRIPT

if node ask.mjs; then
    printf '\nSeen: an older model'"'"'s price under four newer names.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
