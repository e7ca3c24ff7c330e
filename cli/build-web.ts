/**
 * `npm run build`: builds what browsers get, page and vault, into `dist/web`, which is where wrangler.toml looks for it.
 * `npm run deploy` builds it and hands the rest of its arguments to `wrangler deploy`.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildWeb } from "#web/build.ts";
import { CommandError } from "./command-error.ts";
import { CHECKED, type DeploySettings, readDeploySettings } from "./deploy-settings.ts";
import { COFFER } from "./parts/index.ts";
import { report } from "./report.ts";
import { ROOT_KEY_FILE, readRootKey } from "./root-key.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const HELP = `npm run build                 build page and vault into dist/web
npm run deploy -- [OPTIONS]   build them, then run \`wrangler deploy\` with these options (--dry-run, --env NAME, …)

  --env UNIT        in split operation: app, datastore, iam, ra, verifier, kms or audit (wrangler.split.toml)
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
  const settings = command === "deploy" ? await readDeploySettings(values) : undefined;
  const rootKey = settings?.page === false ? undefined : await rootKeyOf(values["root-key"]);
  if (settings && !values["dry-run"]) expectReady(settings, rootKey);
  const options = without(rest, ["--root-key", "--out", "--config", "-c"]);
  if (settings?.page === false) return wrangler(settings, options);
  const outDir = typeof values.out === "string" ? resolve(values.out) : join(ROOT, "dist/web");
  const { files, measurement } = await buildWeb({ rootKey: rootKey ?? new Uint8Array(0), outDir });
  process.stdout.write(`${files.length} files in ${outDir}; microservice ${measurement}\n`);
  if (!rootKey)
    process.stdout.write("Built without a root key: good for a dry run; this vault serves nobody.\n");
  return settings ? wrangler(settings, ["--assets", outDir, ...options]) : 0;
}

/** What a dry run only warns of keeps a deployment from being made. */
function expectReady({ config, page, lacks }: DeploySettings, rootKey: Uint8Array | undefined): void {
  if (page && !rootKey)
    throw new CommandError(
      `There is no root key for the vault to pin: run \`${COFFER} init\`, or name its file with --root-key.`,
    );
  if (lacks.length > 0) throw new CommandError(`${config}: ${lacks.join(" ")}`);
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

function wrangler({ config, lacks }: DeploySettings, args: string[]): number {
  const command = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const { status } = spawnSync(process.execPath, [command, "deploy", "--config", config, ...args], {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, [CHECKED]: "1" },
  });
  for (const sentence of lacks) process.stderr.write(`Not to be deployed yet: ${sentence}\n`);
  return status ?? 1;
}
