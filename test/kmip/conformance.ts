/**
 * `npm run kmip:conformance -- DIR`: runs the OASIS test cases in DIR and below against a KMIP server, by default an
 * emulator of its own for each case. Prints each case that fails with its first difference, each excluded case with its
 * reason, and at the end `N passed, N failed, N skipped`; of another server also `N not supported`: cases in which it says
 * that it does not have what they ask for. The exit code is 1 if a case failed.
 *
 *   --encoding ttlv|json|xml, --transport tls|https   how messages travel; TTLV over TLS by default
 *   --host H --port P --ca FILE --cert FILE --key FILE  another server, and the client's certificate for it (PEM)
 *   --json   one JSON array of {file, passed, excluded, notSupported, reason} on standard output and nothing else
 *   --trace  every message as XML on standard error
 */

import { statSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { reportUncaught } from "#cli/report.ts";
import { encodeItem } from "#protocol/kmip/index.ts";
import { ENDPOINT_OPTIONS, endpointOf } from "./endpoint-options.ts";
import { findCases, type Result, runSuite } from "./index.ts";

reportUncaught();
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    encoding: { type: "string" },
    transport: { type: "string" },
    ...ENDPOINT_OPTIONS,
    json: { type: "boolean" },
    trace: { type: "boolean" },
  },
});

const [path] = positionals;
if (path === undefined || positionals.length > 1) usage("give one folder of test cases");
const encoding = oneOf("encoding", values.encoding ?? "ttlv", ["ttlv", "json", "xml"]);
const transport = oneOf("transport", values.transport ?? "tls", ["tls", "https"]);
const text = new TextDecoder();

const endpoint = endpointOf(values, usage);
const results: Result[] = [];
const suite = runSuite({
  files: cases(path),
  root: statSync(path).isDirectory() ? path : dirname(path),
  encoding,
  transport,
  endpoint,
  trace: values.trace
    ? (direction, item) => console.error(`${direction}: ${text.decode(encodeItem(item, "xml"))}`)
    : undefined,
});
for await (const result of suite) {
  results.push(result);
  if (values.json || result.passed) continue;
  const how = result.excluded ? "excluded" : result.notSupported ? "not supported" : "FAILED";
  console.log(`${how}  ${result.file}\n    ${result.reason}`);
}

const passed = results.filter((result) => result.passed).length;
const skipped = results.filter((result) => result.excluded).length;
const notSupported = results.filter((result) => result.notSupported).length;
const failed = results.length - passed - skipped - notSupported;
if (values.json) console.log(JSON.stringify(results));
else {
  const foreign = endpoint ? `, ${notSupported} not supported` : "";
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped${foreign}`);
}
process.exitCode = failed > 0 ? 1 : 0;

function cases(folder: string): string[] {
  const found = findCases(folder);
  if (found.length === 0) usage(`there is no test case in ${folder}`);
  return found;
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  return found ?? usage(`--${option} is one of ${allowed.join(", ")}`);
}

function usage(message: string): never {
  console.error(message);
  process.exit(2);
}
