// OpenAI's client, as it is, does what standard input says, and prints what came of
// it: { base_url, token, steps: [step…] } becomes a list of results. Steps run side
// by side. A step has
//
//   call      a method of the client, as "videos.create", with its args
//   collect   "all": every item of a list; "bytes": a file's length, SHA-256 and
//             headers; without it what the call returns
//   options   of the client, as { maxRetries: 0 }
//   upload    bytes to send as input_reference
//   cut       what happens to its connections, see proxy()
//   statuses  called again until what it returns has one of these
//   seconds   after which it is left alone
//
// A result is { value } or { error }, and with cut the number of connections.

import { createHash } from 'node:crypto';
import net from 'node:net';

const { OpenAI, toFile } = await import(process.argv[2]);

// Where a cut falls, in bytes of one direction: `bytes` behind its start, its head
// or its end; Infinity while nobody can know.
function place(cut, seen) {
  const head = seen.indexOf('\r\n\r\n');
  if (cut.from === 'start') return cut.bytes;
  if (head < 0) return Infinity;
  const length = /^content-length: *(\d+)/im.exec(seen.subarray(0, head));
  const body = cut.from === 'end' ? Number(length?.[1] ?? Infinity) : 0;
  return head + 4 + body + cut.bytes;
}

// The gateway behind its port of another address, at which the first `times`
// connections are cut: { address, side: "up" | "down", from: "start" | "head" |
// "end", bytes, how: "end" | "reset", times }.
async function proxy(cut, target) {
  const connections = { count: 0 };
  const server = net.createServer((client) => {
    const cutting = connections.count++ < cut.times;
    const gateway = net.connect(target.port, target.hostname);
    const close = () => {
      for (const end of [client, gateway]) {
        if (cut.how === 'reset') end.resetAndDestroy(); else end.end();
      }
    };
    const carry = (from, to, side) => {
      let seen = Buffer.alloc(0), passed = 0;
      from.on('error', () => to.destroy());
      from.on('end', () => to.end());
      from.on('data', (piece) => {
        seen = Buffer.concat([seen, piece]);
        const here = cutting && cut.side === side;
        const until = here ? place(cut, seen) : Infinity;
        to.write(seen.subarray(passed, until), () => {
          if (seen.length >= until) close();
        });
        passed = Math.min(seen.length, until);
      });
    };
    if (cutting && cut.side === 'up' && cut.bytes === 0 && cut.from === 'start') {
      close();
      return;
    }
    carry(client, gateway, 'up');
    carry(gateway, client, 'down');
  });
  await new Promise((ready) => server.listen(target.port, cut.address, ready));
  return connections;
}

const collect = {
  async all(list) {
    const items = [];
    for await (const item of list) items.push(item);
    return items;
  },
  async bytes(promise) {
    const response = await promise;
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      headers: Object.fromEntries(response.headers) };
  },
  async value(promise) {
    return await promise;
  },
};

function told(error) {
  const { status, code, type, param, message } = error;
  return { class: error.constructor.name, status, code, type, param, message };
}

async function run(input, step) {
  const url = new URL(input.base_url);
  const connections = step.cut && await proxy(step.cut, new URL(url));
  if (connections) url.hostname = step.cut.address;
  const client = new OpenAI({ apiKey: input.token, baseURL: url.href,
    logLevel: 'off', ...step.options });
  const args = step.args ?? [];
  if (step.upload) {
    args[0].input_reference = await toFile(Buffer.from(step.upload), 'a.png',
      { type: 'image/png' });
  }
  const names = step.call.split('.');
  const method = names.pop();
  const owner = names.reduce((object, name) => object[name], client);
  const result = {};
  try {
    do {
      result.value = await collect[step.collect ?? 'value'](owner[method](...args));
    } while (step.statuses && !step.statuses.includes(result.value.status)
      && await new Promise((resolve) => setTimeout(resolve, 100, true)));
  } catch (error) {
    result.error = told(error);
  }
  if (connections) result.connections = connections.count;
  return result;
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const input = JSON.parse(Buffer.concat(chunks));
const results = await Promise.all(input.steps.map((step) => Promise.race([
  run(input, step),
  new Promise((resolve) => setTimeout(resolve, (step.seconds ?? 60) * 1000,
    { pending: true })),
])));
process.stdout.write(JSON.stringify(results), () => process.exit(0));
