// OpenAI's client for node, which speaks this dialect; npm installs it below build.

import { createRequire } from "node:module";
import { key, stopwatch, url } from "./stopwatch.mjs";

const require = createRequire(`${process.cwd()}/build/peers/`);
const { OpenAI } = require("openai");
const { VERSION } = require("openai/version");

const [, base, path] = url?.match(/^(.*\/v1)(\/.*)$/) ?? [];
const client = url && new OpenAI({ apiKey: key, baseURL: base });

async function query() {
  const task = await client.get(path);
  if (task.id !== "video_1") throw new Error(task.id);
}

await stopwatch(`openai ${VERSION}`, query);
