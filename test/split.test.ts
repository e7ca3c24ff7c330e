/**
 * Split operation (W13) is configuration alone: who is bound to what stands in wrangler.split.toml, and is no more and no less
 * than what the code of each unit names.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { UNITS, type Unit } from "#edge/units.ts";
import { productFiles, roomOf } from "./rooms.ts";
import { root } from "./support/tree.ts";

/** The room of a unit's domain. */
const ROOM: Record<Unit, string> = {
  app: "edge/gateway",
  datastore: "edge/datastore",
  iam: "edge/iam",
  ra: "edge/ra",
  kms: "edge/kms",
  audit: "edge/audit",
};

/** As far as it is looked at, what wrangler's types leave open. */
type Configuration = {
  name: string;
  vars: Record<string, unknown>;
  services: { binding: string; service: string; entrypoint?: string; props?: unknown }[];
  durable_objects: { bindings: { name: string; class_name: string; script_name?: string }[] };
  migrations: { new_sqlite_classes?: string[] }[];
  r2_buckets: { binding: string; bucket_name?: string }[];
  mtls_certificates: { binding: string; certificate_id: string }[];
  assets?: { binding?: string; directory?: string };
  routes?: unknown[];
};

const whole: Configuration = unstable_readConfig({ config: `${root}wrangler.toml` });
const split = Object.fromEntries(
  UNITS.map((unit) => [unit, unstable_readConfig({ config: `${root}wrangler.split.toml`, env: unit })]),
) as Record<Unit, Configuration>;

/** What a worker is bound to, by the name of each binding: kind, and what it leads to. */
function bindings(config: Configuration): Map<string, string> {
  const audit = (props: unknown) => (props === undefined ? "" : ` as ${JSON.stringify(props)}`);
  return new Map([
    ...config.services.map((s) => [s.binding, `${s.entrypoint}${audit(s.props)}`] as const),
    ...config.durable_objects.bindings.map((o) => [o.name, o.class_name] as const),
    ...config.r2_buckets.map((b) => [b.binding, b.bucket_name ?? ""] as const),
    ...config.mtls_certificates.map((c) => [c.binding, c.certificate_id] as const),
    ...(config.assets?.binding ? [[config.assets.binding, config.assets.directory ?? ""] as const] : []),
  ]);
}

const COMMENT = /^\s*(\/\*|\*|\/\/).*$/gm;
const code = productFiles().map((file) => ({
  room: roomOf(file),
  text: readFileSync(`${root}${file}`, "utf8").replace(COMMENT, ""),
}));
const names = (unit: Unit, name: string) =>
  code.some(({ room, text }) => room?.startsWith(ROOM[unit]) && new RegExp(`\\b${name}\\b`).test(text));

const worker = (unit: string) => `coffer-${unit}`;

describe("W13 split operation", () => {
  it.each(UNITS)("%s has what its code names and nothing else", (unit) => {
    const named = new Map([...bindings(whole)].filter(([name]) => names(unit, name)));
    if (unit === "ra") named.set("KMS", "KmsForRa");
    expect(bindings(split[unit])).toEqual(named);
  });

  it.each(UNITS)("%s has the variables that its code names, as they are for one worker", (unit) => {
    const shared = ["COFFER_ENVIRONMENT", "COFFER_TENANTS"];
    const { COFFER_ENVIRONMENT: _, COFFER_TENANTS: __, ...vars } = split[unit].vars;
    const named = Object.entries(whole.vars).filter(([name]) => !shared.includes(name) && names(unit, name));
    expect(vars).toEqual(Object.fromEntries(named));
    expect(split[unit].vars.COFFER_ENVIRONMENT).toBe("production");
  });

  it("leads each service to the unit that has the entrypoint", () => {
    for (const unit of UNITS)
      for (const { service, entrypoint } of split[unit].services)
        expect(service).toBe(worker(String(entrypoint?.replace(/For.*/, "").toLowerCase())));
    expect(UNITS.map((unit) => split[unit].name)).toEqual(UNITS.map(worker));
  });

  it("W9 lets the registration authority ask the KMS one thing, and have no key released", () => {
    const door = readFileSync(`${root}edge/kms/for-ra.ts`, "utf8");
    const methods = [...door.matchAll(/^ {2}(?:async )?([\w#]+)\(/gm)].map(([, name]) => name);
    expect(methods).toEqual(["hasMasterKey"]);
    const asked = code
      .filter(({ room }) => room?.startsWith("edge/ra"))
      .flatMap(({ text }) => [...text.matchAll(/\bKMS\.(\w+)\(/g)]);
    expect(asked.map(([, name]) => name)).toEqual(methods);
  });

  it("gives the KMS no way to the datastore, and the datastore none to the KMS", () => {
    const reached = (unit: Unit) => split[unit].services.map(({ service }) => service);
    expect(reached("kms")).toEqual(["iam", "ra", "audit"].map(worker));
    expect(reached("datastore")).toEqual(["iam", "audit"].map(worker));
  });

  it("gives each store to one unit", () => {
    const stores = UNITS.flatMap((unit) => [
      ...split[unit].durable_objects.bindings.map(({ class_name }) => class_name),
      ...split[unit].r2_buckets.map(({ bucket_name }) => bucket_name),
      ...split[unit].mtls_certificates.map(({ certificate_id }) => certificate_id),
    ]);
    expect(stores.length).toBeGreaterThan(15);
    expect(stores.toSorted()).toEqual([...new Set(stores)].toSorted());
    for (const unit of UNITS) {
      const { durable_objects, migrations } = split[unit];
      expect(migrations.flatMap(({ new_sqlite_classes = [] }) => new_sqlite_classes)).toEqual(
        durable_objects.bindings.map(({ class_name }) => class_name),
      );
      expect(durable_objects.bindings.every(({ script_name }) => script_name === undefined)).toBe(true);
    }
  });

  it("shows the public network the app alone", () => {
    for (const unit of UNITS) {
      expect(split[unit]).toMatchObject({ workers_dev: false, preview_urls: false });
      expect(split[unit].routes ?? []).toEqual([]);
      expect(split[unit].assets === undefined).toBe(unit !== "app");
    }
  });

  it("has one table of tenants in every unit that asks for it", () => {
    const tables = UNITS.map((unit) => split[unit].vars.COFFER_TENANTS);
    const asks = (unit: Unit) => names(unit, "tenantNamed") || names(unit, "configuredTenants");
    expect(UNITS.filter((_, index) => tables[index] !== undefined)).toEqual(UNITS.filter(asks));
    expect(new Set(tables.filter(Boolean).map((table) => JSON.stringify(table))).size).toBe(1);
  });
});
