/**
 * `npm run bench -- NAME [--json]`: runs bench/NAME.ts and prints {id, value, unit, versus, ratio} rows. `--json` prints one
 * JSON array on standard output and nothing else there. `load`, `keys` and `page` may be run `--against` a commit, or the checkout in a folder.
 */
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { reportUncaught } from "#cli/report.ts";
import type { Report, Row } from "./row.ts";

reportUncaught();
const { values, positionals } = parseArgs({
  options: { json: { type: "boolean" }, against: { type: "string" } },
  allowPositionals: true,
});
const [name = ""] = positionals;
const file = new URL(`./${name}.ts`, import.meta.url);
if (
  positionals.length !== 1 ||
  !/^[a-z]+$/.test(name) ||
  ["run", "row"].includes(name) ||
  !existsSync(file) ||
  (values.against !== undefined && !["load", "keys", "page"].includes(name))
) {
  console.error(
    "Usage: npm run -s bench -- NAME [--json]        NAME: kmip, documents, enrolment, rotation, service",
  );
  console.error("       npm run -s bench -- load|keys|page [--json] [--against COMMIT or FOLDER]");
  process.exit(2);
}
type Options = { against?: string | undefined };
const { run } = (await import(file.href)) as { run: (report: Report, options: Options) => Promise<void> };
const rows: Row[] = [];
try {
  await run((row) => {
    rows.push(row);
    if (values.json) return;
    const { id, value, unit, versus, ratio } = row;
    const figure = `${value < 10 ? value.toFixed(2) : Math.round(value)} ${unit}`;
    const compared = versus === null ? "" : `${ratio!.toFixed(2)} × ${versus}`;
    process.stdout.write(`${id.padEnd(44)} ${figure.padStart(18)}   ${compared}\n`);
  }, values);
} finally {
  // A bench that finds its figures too bad fails after it has told them.
  if (values.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
}
process.exit(0);
