/** Settings for wrangler where the IAM is a module of another unit (W15): that unit's worker with both their bindings, and who asks the IAM asks it. */

import { dirname, join, resolve } from "node:path";
import { type IamHost, readIamHost } from "#edge/iam-host.ts";
import type { Unit } from "#edge/units.ts";
import { workerName } from "#edge/wires.ts";
import { writeWhole } from "#files/index.ts";
import { CommandError } from "./command-error.ts";

type Service = { binding: string; service: string };
/** As far as it is looked at, what wrangler's types leave open. */
type Settings = {
  main: string;
  vars: Record<string, unknown>;
  services?: Service[];
  durable_objects?: { bindings: object[] };
  migrations?: { tag: string }[];
  mtls_certificates?: object[];
  r2_buckets?: object[];
  assets?: { directory: string };
};
type Raw = { build?: { cwd?: string }; env?: Record<string, Settings> };

/** The unit that the IAM of these settings is a module of; undefined where it is a worker of its own, or where there are no units. */
export async function iamHostOf(config: string): Promise<IamHost | undefined> {
  return readIamHost((await read(config)).env?.iam?.vars.COFFER_IAM_IN);
}

/**
 * Writes the settings of one unit, in an environment of its name, to `out`. Throws `CommandError` for the IAM itself, which is no worker then.
 */
export async function writeUnit(
  config: string,
  { unit, host, out }: { unit: Unit; host: IamHost; out: string },
): Promise<void> {
  const { env = {}, ...top } = await read(config);
  const { iam, [unit]: own } = env;
  if (unit === "iam")
    throw new CommandError(
      `COFFER_IAM_IN is ${host}: the IAM is a module of that unit. Deploy --env ${host}.`,
    );
  if (iam === undefined || own === undefined) throw new CommandError(`${config} has no unit ${unit}.`);
  const settings = unit === host ? joined(own, iam) : own;
  const services = settings.services?.map((one) =>
    one.service === workerName("iam") ? { ...one, service: workerName(host) } : one,
  );
  const at = (path: string) => resolve(dirname(config), path);
  const { assets } = settings;
  const placed = {
    ...settings,
    ...(services && { services }),
    main: at(settings.main),
    ...(assets && { assets: { ...assets, directory: at(assets.directory) } }),
  };
  const build = { ...top.build, cwd: at(top.build?.cwd ?? ".") };
  await writeWhole(out, `${JSON.stringify({ ...top, build, env: { [unit]: placed } }, null, 2)}\n`, {
    replace: true,
  });
}

/** Where the settings of a unit are written for wrangler. */
export function unitFile(root: string, unit: Unit): string {
  return join(root, `.wrangler.${unit}.json`);
}

/** Of a variable that both have, the host's. Migrations go on under names of their own. */
function joined(host: Settings, iam: Settings): Settings {
  const list = <K extends "services" | "migrations" | "mtls_certificates" | "r2_buckets">(key: K) =>
    [...(host[key] ?? []), ...(key === "migrations" ? named(iam) : (iam[key] ?? []))] as NonNullable<
      Settings[K]
    >;
  return {
    ...host,
    vars: { ...iam.vars, ...host.vars },
    services: list("services"),
    durable_objects: {
      bindings: [...(host.durable_objects?.bindings ?? []), ...(iam.durable_objects?.bindings ?? [])],
    },
    migrations: list("migrations"),
    mtls_certificates: list("mtls_certificates"),
    r2_buckets: list("r2_buckets"),
  };
}

function named({ migrations = [] }: Settings): { tag: string }[] {
  return migrations.map((one) => ({ ...one, tag: `iam-${one.tag}` }));
}

async function read(config: string): Promise<Raw> {
  const { experimental_readRawConfig } = await import("wrangler");
  return experimental_readRawConfig({ config }).rawConfig as Raw;
}
