// node's own fetch, which keeps its connections.

import { key, stopwatch, url } from "./stopwatch.mjs";

async function query() {
  const response = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
  if (response.status !== 200) throw new Error(response.statusText);
  const task = await response.json();
  if (task.id !== "video_1") throw new Error(task.id);
}

await stopwatch(`undici ${process.versions.undici}`, query);
