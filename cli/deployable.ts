/**
 * What wrangler runs before it bundles the worker (`[build]` in its files): a deployment that lacks something fails, also where
 * nobody went by `npm run deploy`, and a dry run warns of it.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { CommandError } from "./command-error.ts";
import { CHECKED, readDeploySettings } from "./deploy-settings.ts";
import { report } from "./report.ts";

/** From this program up: a shell, wrangler, and what it was started by. */
const ANCESTORS = 4;

try {
  await run();
} catch (error) {
  process.exitCode = report(error);
}

async function run(): Promise<void> {
  const { WRANGLER_COMMAND, [CHECKED]: checked } = process.env;
  if (checked === "1" || (WRANGLER_COMMAND !== "deploy" && WRANGLER_COMMAND !== "versions upload")) return;
  const { values } = parseArgs({
    args: wranglersArguments(),
    strict: false,
    allowPositionals: true,
    options: {
      config: { type: "string", short: "c" },
      env: { type: "string", short: "e" },
      "dry-run": { type: "boolean" },
    },
  });
  const { config, declared, lacks } = await readDeploySettings({
    ...values,
    env: values.env ?? process.env.CLOUDFLARE_ENV,
  });
  if (config !== declared)
    throw new CommandError(
      `${declared}: the IAM is a module of another unit (COFFER_IAM_IN): deploy with \`npm run deploy\`, which joins their settings.`,
    );
  if (lacks.length > 0 && !values["dry-run"]) throw new CommandError(`${config}: ${lacks.join(" ")}`);
  for (const sentence of lacks) process.stderr.write(`Not to be deployed yet: ${sentence}\n`);
}

/** What wrangler was started with: it does not tell what it runs. None where that cannot be found, so that nothing counts as a dry run. */
function wranglersArguments(): string[] {
  let pid = process.ppid;
  for (let i = 0; i < ANCESTORS; i++) {
    const { parent, words } = processOf(pid);
    const at = words.findIndex((word) => /(^|[/\\])wrangler(\.js)?$/.test(word));
    if (at >= 0) return words.slice(at + 1);
    pid = parent;
  }
  return [];
}

function processOf(pid: number): { parent: number; words: string[] } {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .filter((word) => word !== "");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return { parent: Number(/\) \S (\d+)/.exec(stat)?.[1] ?? 0), words };
  } catch {
    // Not Linux. Spaces in a path are lost, and with them no option.
    const { stdout } = spawnSync("ps", ["-o", "ppid=,command=", "-p", String(pid)], { encoding: "utf8" });
    const [parent, ...words] = (stdout ?? "").trim().split(/\s+/);
    return { parent: Number(parent ?? 0), words };
  }
}
