// What spec/bench/peers/stopwatch.lua is for Lua, for node.

export const [url, key, count, atOnce] = process.argv.slice(2);

// So long does V8 take to compile what is hot: the time of a query halves meanwhile.
const WARM_UP = 5120;

async function oneByOne(query, count) {
  for (let i = 0; i < count; i++) await query();
}

async function sideBySide(query, count) {
  for (let i = 0; i < count; i += Number(atOnce)) {
    await Promise.all(Array.from({ length: atOnce }, query));
  }
}

export async function stopwatch(version, query) {
  if (!url) return console.log(`${version}, node ${process.versions.node}`);
  const run = atOnce === "1" ? oneByOne : sideBySide;
  await run(query, WARM_UP);
  const wall = performance.now();
  const cpu = process.cpuUsage();
  await run(query, Number(count));
  const seconds = (performance.now() - wall) / 1e3;
  const { user, system } = process.cpuUsage(cpu);
  console.log(seconds.toFixed(9), ((user + system) / 1e6).toFixed(9));
}
