/**
 * Split operation (W13) is configuration alone: who is bound to what stands in wrangler.split.toml, and is no more and no less
 * than what the code of each unit names.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { bundleEdge } from "#edge/bundle.ts";
import { UNITS, type Unit } from "#edge/units.ts";
import { productFiles, roomOf } from "./rooms.ts";
import { root } from "./support/tree.ts";

/** The room of a unit's domain. */
const ROOM: Record<Unit, string> = {
  app: "edge/gateway",
  datastore: "edge/datastore",
  iam: "edge/iam",
  ra: "edge/ra",
  verifier: "edge/verifier",
  kms: "edge/kms",
  caas: "edge/caas",
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
  ratelimits?: { name: string; simple: object }[];
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
    ...(config.ratelimits ?? []).map((r) => [r.name, JSON.stringify(r.simple)] as const),
    ...(config.assets?.binding ? [[config.assets.binding, config.assets.directory ?? ""] as const] : []),
  ]);
}

const COMMENT = /^\s*(\/\*|\*|\/\/).*$/gm;
const code = productFiles().map((file) => ({
  room: roomOf(file),
  text: readFileSync(`${root}${file}`, "utf8"),
}));
const services = new Set(whole.services.map(({ binding }) => binding));
const has = (unit: Unit, pattern: RegExp) =>
  code.some(({ room, text }) => room?.startsWith(ROOM[unit]) && pattern.test(text.replace(COMMENT, "")));
/** A neighbour's name alone says nothing of the door. */
const names = (unit: Unit, name: string) =>
  has(unit, new RegExp(services.has(name) ? `\\benv\\.${name}\\b` : `\\b${name}\\b`));

/** Unit by unit, all that it may call of each other one. Who adds a method to a door enters it here. */
const MAY_CALL: Record<Unit, Record<string, string[]>> = {
  app: {
    Iam: [
      "account",
      "accountStates",
      "accounts",
      "addVersion",
      "appoint",
      "approve",
      "authorize",
      "cancelDeletion",
      "clientToken",
      "createAccount",
      "deleteDataKey",
      "encryptedAccountKey",
      "identify",
      "instanceToken",
      "keepAccountKey",
      "keepVersion",
      "keyIdentifier",
      "keys",
      "leave",
      "listClients",
      "listGroup",
      "listGroups",
      "listRoles",
      "listVersions",
      "loggedOut",
      "members",
      "nameInstance",
      "putMember",
      "readAccount",
      "readAudit",
      "registerClient",
      "removeClient",
      "removeMember",
      "renewAccountKey",
      "renewDataKey",
      "rotateAccountKey",
      "scheduleDeletion",
      "scheduleVersion",
      "session",
      "signIn",
      "signOut",
      "signedIn",
      "token",
      "unnameInstance",
    ],
    Ra: [
      "attestation",
      "grant",
      "instances",
      "openEnrolment",
      "openPasskey",
      "passkeys",
      "redeemEnrolment",
      "registerPasskey",
      "removePasskey",
      "renew",
      "revocationList",
      "revoke",
      "revokeOfUser",
      "secretZero",
      "userInstances",
    ],
    Kms: [
      "beginRotation",
      "changeKey",
      "changeKeyOfUser",
      "dataKeys",
      "describeKey",
      "describeKeyOfUser",
      "grant",
      "keptKeys",
      "keysOfUser",
      "listDataKeys",
      "listKeys",
      "listPolicies",
      "load",
      "loadRetained",
      "masterKey",
      "metadataKey",
      "openSeedChannel",
      "orderExport",
      "present",
      "presentSeed",
      "putPolicy",
      "putVersions",
      "readDataKey",
      "readVersions",
      "releaseAccountKey",
      "rotateKey",
      "rotation",
      "share",
      "shares",
      "withdrawShare",
    ],
    Caas: ["decrypt", "encrypt", "hash", "mac", "macVerify", "publicKey", "random", "sign", "verify"],
    Datastore: [
      ...["complete", "content", "create", "delete", "keepDocument", "list", "listDeleted", "listReceived"],
      ...["metadata", "putListed", "putMetadata", "putReceivedCopy", "quota", "receivedContent"],
      ...["receivedMetadata", "removeReceived", "scheduleDeletion", "setQuota", "share", "store", "unshare"],
      ...["upload", "uploadPart"],
    ],
    AuditForDomains: ["append"],
  },
  datastore: { IamForDatastore: ["administratorOf", "member", "receives"], AuditForDomains: ["append"] },
  iam: {
    RaForIam: ["ended", "instance", "used"],
    KmsForIam: [
      "currentMasterKey",
      "deleteDataKey",
      "keyIdentifiers",
      "left",
      "listed",
      "moveAccountKeys",
      "orderAccountKey",
      "orderDataKey",
      "scheduleDataKey",
      "shredded",
    ],
    AuditForIam: ["auditPage"],
    DatastoreForIam: ["forget", "keep", "kept", "keyIdentifiers", "left", "shredded"],
    AuditForDomains: ["append"],
  },
  ra: {
    IamForRa: ["administrator", "custodian", "signedIn"],
    KmsForRa: ["hasMasterKey", "instancesEnded"],
    Verifier: ["accepts", "appraise", "passkey"],
    AuditForDomains: ["append"],
  },
  verifier: {},
  kms: {
    IamForKms: [
      "accountKey",
      "administrator",
      "encryptedAccountKey",
      "followMaster",
      "member",
      "receives",
      "receivingKey",
      "signedIn",
      "unlisted",
    ],
    RaForKms: ["instance", "recipient"],
    AuditForDomains: ["append"],
  },
  caas: { KmsForCaas: ["decrypt", "encrypt", "mac", "macVerify", "sign", "verifier", "withoutKey"] },
  audit: {},
};

/** What can be called of each class of the worker, inherited or not; what is private cannot. */
async function callable(): Promise<Map<string, string[]>> {
  const { script } = await bundleEdge();
  const bases = "export class WorkerEntrypoint {}; export class DurableObject {};";
  const alone = script.replaceAll('"cloudflare:workers"', JSON.stringify(`data:text/javascript,${bases}`));
  const loaded = await import(`data:text/javascript;base64,${Buffer.from(alone).toString("base64")}`);
  const members = (prototype: object | null): string[] =>
    prototype === null || prototype === Object.prototype
      ? []
      : [...Object.getOwnPropertyNames(prototype), ...members(Object.getPrototypeOf(prototype))];
  return new Map(
    Object.entries(loaded as Record<string, { prototype?: object }>)
      .filter(([, { prototype }]) => prototype !== undefined)
      .map(([name, { prototype }]) => [
        name,
        [...new Set(members(prototype ?? null))].filter((member) => member !== "constructor").toSorted(),
      ]),
  );
}

const worker = (unit: string) => `coffer-${unit}`;

describe("W13 split operation", () => {
  it.each(UNITS)("%s has what its code names and nothing else", (unit) => {
    const named = new Map([...bindings(whole)].filter(([name]) => names(unit, name)));
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

  it("W13 W9 opens to each unit the methods that it needs of each other one, and no more", async () => {
    const methods = await callable();
    for (const unit of UNITS) {
      const held = split[unit].services.map(({ entrypoint = "" }) => [entrypoint, methods.get(entrypoint)]);
      expect(Object.fromEntries(held), unit).toEqual(MAY_CALL[unit]);
      const called = Object.values(MAY_CALL[unit]).flat();
      const unasked = called.filter((method) => !has(unit, new RegExp(`\\.${method}\\(`)));
      expect(
        unasked.filter((name) => name !== "append"),
        unit,
      ).toEqual([]);
    }
    // Who exports the audit, and who denies an app, no unit is.
    for (const door of ["Audit", "IamAdministration"])
      expect(
        UNITS.filter((unit) => Object.hasOwn(MAY_CALL[unit], door)),
        door,
      ).toEqual([]);
  });

  it("gives each door to one unit, but that each appends to the audit", () => {
    const doors = UNITS.flatMap((unit) => split[unit].services.map(({ entrypoint }) => entrypoint));
    const shared = doors.filter((door, index) => doors.indexOf(door) !== index);
    expect(new Set(shared)).toEqual(new Set(["AuditForDomains"]));
  });

  it("is bound in one worker as in many", () => {
    const doors = UNITS.flatMap((unit) =>
      split[unit].services.map(({ binding, entrypoint }) => [binding, entrypoint]),
    );
    expect(
      Object.fromEntries(whole.services.map(({ binding, entrypoint }) => [binding, entrypoint])),
    ).toEqual(Object.fromEntries(doors));
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
