// Reads what Prometheus would read, from stdin, and prints it as JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const parse = createRequire(process.argv[2])("parse-prometheus-text-format");
const text = readFileSync(0, "utf8");
process.stdout.write(JSON.stringify((parse.default ?? parse)(text)));
