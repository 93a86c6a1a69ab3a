// Runs one scenario: run.mjs PUPPETEER NAME, with what it needs as JSON on standard
// input. Where it fails, says why, and ends with 1.

import fs from 'node:fs';
import * as looks from './looks.mjs';
import * as scenarios from './scenarios.mjs';
import { Visit } from './browser.mjs';

const given = JSON.parse(fs.readFileSync(0, 'utf8'));
const run = { ...scenarios, ...looks }[process.argv[3]];
const visit = await Visit.begin(given.url);
try {
  await run(visit, given);
  await visit.end();
} catch (error) {
  console.error(error.stack, visit.faults);
  await visit.browser.close();
  process.exitCode = 1;
}
