/**
 * `npm run build`: builds what browsers get, page and vault, into `dist/web`, which is where wrangler.toml looks for it.
 * `npm run deploy` builds it and hands the rest of its arguments to `wrangler deploy`.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readTenants } from "#edge/tenants.ts";
import { buildWeb } from "#web/build.ts";
import { CommandError } from "./command-error.ts";
import { COFFER } from "./parts/index.ts";
import { report } from "./report.ts";
import { ROOT_KEY_FILE, readRootKey } from "./root-key.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const HELP = `npm run build                 build page and vault into dist/web
npm run deploy -- [OPTIONS]   build them, then run \`wrangler deploy\` with these options (--dry-run, --env NAME, …)

  --root-key FILE   the deployment's root key, PEM, which the microservice pins   (${ROOT_KEY_FILE}, if it exists)
  --out DIR         where page and vault are written                              (dist/web)

\`${COFFER} init\` writes that file. Without it only a dry run can be deployed: its vault serves nobody.
`;

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}

async function run(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  const { values } = parseArgs({
    args: rest,
    strict: false,
    options: {
      "root-key": { type: "string" },
      out: { type: "string" },
      "dry-run": { type: "boolean" },
      config: { type: "string", short: "c" },
      env: { type: "string", short: "e" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help || (command !== "build" && command !== "deploy")) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const rootKey = await rootKeyOf(values["root-key"]);
  if (!rootKey && command === "deploy" && !values["dry-run"])
    throw new CommandError(
      `There is no root key for the vault to pin: run \`${COFFER} init\`, or name its file with --root-key.`,
    );
  if (command === "deploy") await checkTenants(values.config, values.env);
  const outDir = typeof values.out === "string" ? resolve(values.out) : join(ROOT, "dist/web");
  const { files, measurement } = await buildWeb({ rootKey: rootKey ?? new Uint8Array(0), outDir });
  process.stdout.write(`${files.length} files in ${outDir}; microservice ${measurement}\n`);
  if (!rootKey)
    process.stdout.write("Built without a root key: good for a dry run; this vault serves nobody.\n");
  return command === "build" ? 0 : wrangler(["--assets", outDir, ...without(rest, ["--root-key", "--out"])]);
}

/** Finds what is wrong with COFFER_TENANTS before it is deployed: the edge would serve nobody by it. */
async function checkTenants(config: unknown, env: unknown): Promise<void> {
  const { unstable_readConfig } = await import("wrangler");
  const path = typeof config === "string" ? resolve(config) : join(ROOT, "wrangler.toml");
  const { vars } = unstable_readConfig({ config: path, ...(typeof env === "string" && { env }) });
  try {
    // A variable that is no text comes to the worker as JSON.
    const table: unknown = JSON.parse(JSON.stringify(vars.COFFER_TENANTS ?? null));
    readTenants(table, vars.COFFER_ENVIRONMENT !== "development");
  } catch (error) {
    throw new CommandError(`${path}: ${(error as Error).message}.`);
  }
}

async function rootKeyOf(path: unknown): Promise<Uint8Array | undefined> {
  if (typeof path === "string") return readRootKey(resolve(path));
  const usual = join(ROOT, ROOT_KEY_FILE);
  return existsSync(usual) ? readRootKey(usual) : undefined;
}

/** The arguments without these options and their values: what is left for wrangler. */
function without(args: string[], options: string[]): string[] {
  return args.filter(
    (arg, index) =>
      !options.some((option) => arg === option || arg.startsWith(`${option}=`) || args[index - 1] === option),
  );
}

function wrangler(args: string[]): number {
  const command = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  return (
    spawnSync(process.execPath, [command, "deploy", ...args], { cwd: ROOT, stdio: "inherit" }).status ?? 1
  );
}
