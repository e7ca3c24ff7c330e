import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { named } from "#protocol/hierarchy/index.ts";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, type Hierarchy, oaep, PAST, testHierarchy } from "../testing/hierarchy.ts";
import { denied, reason } from "../testing/refusal.ts";
import type { ManagedObject } from "./managed-object.ts";
import { secretBytes } from "./material.ts";
import { Opened } from "./opened.ts";
import { ObjectStore } from "./store.ts";
import { Work } from "./work.ts";

const random = (length: number) => new Uint8Array(randomBytes(length));
const row = (length: number) => ({ plain: Buffer.from(random(length)), version: random(12) });

describe("rows that were opened", () => {
  it("are filled with zeros when they go", () => {
    const opened = new Opened();
    const [a, b, c] = [row(32), row(32), row(32)];
    opened.keep("a", a);
    opened.keep("b", b);
    opened.drop("a");
    opened.keep("b", c);
    for (const { plain } of [a, b]) expect(plain.every((byte) => byte === 0)).toBe(true);
    expect(opened.get("a")).toBeUndefined();
    expect(opened.get("b")).toBe(c);
    opened.clear();
    expect(c.plain.every((byte) => byte === 0)).toBe(true);
    expect(opened.get("b")).toBeUndefined();
  });

  it("are bounded: the one that nobody has used for longest goes first, and a long one is not kept", () => {
    const opened = new Opened();
    const length = 60 * 1024;
    const first = row(length);
    opened.keep("first", first);
    opened.keep("second", row(length));
    for (let n = 0; n < 100; n++) {
      expect(opened.get("first")).toBe(first);
      opened.keep(`${n}`, row(length));
    }
    const kept = ["second", ...Array.from({ length: 100 }, (_, n) => `${n}`)].filter((uid) =>
      opened.get(uid),
    );
    expect(kept.length * length).toBeLessThan(4 * 1024 * 1024);
    expect(kept).toContain("99");
    expect(kept).not.toContain("second");
    const long = row(65 * 1024);
    opened.keep("99", long);
    expect(opened.get("99")).toBeUndefined();
    expect(long.plain.some((byte) => byte !== 0)).toBe(true);
  });
});

describe("the store, which keeps them", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "coffer-opened-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const key = (name: string, bytes = random(32)): ManagedObject => ({
    uid: "a",
    owner: "alice",
    objectType: "SymmetricKey",
    state: "Active",
    attributes: { name: named(name), cryptographicAlgorithm: "AES", activationDate: PAST },
    value: { symmetricKey: { keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial: bytes } } } },
  });
  const nameOf = (object: ManagedObject | undefined) => object?.attributes.name?.[0]?.nameValue;

  it("reads what was written last: by itself, before it is on the disk and after, and by others", async () => {
    const [store, other] = [new ObjectStore(dir, random), new ObjectStore(dir, random)];
    store.commit([key("first")]);
    await store.synced();
    expect(nameOf(store.read("a"))).toBe("first");
    store.commit([key("second")]);
    expect(nameOf(store.read("a"))).toBe("second");
    await store.synced();
    expect(nameOf(store.read("a"))).toBe("second");
    expect(nameOf(other.read("a"))).toBe("second");
    store.commit([key("third")]);
    await store.synced();
    expect(nameOf(other.read("a"))).toBe("third");
    const { value: _, ...destroyed } = key("third");
    other.commit([{ ...destroyed, state: "Destroyed" }]);
    await other.synced();
    expect(store.read("a")).toMatchObject({ state: "Destroyed" });
    expect(store.read("a")?.value).toBeUndefined();
    store.close();
    other.close();
  });

  it("reads again what has failed to change", async () => {
    let drawn = Number.NEGATIVE_INFINITY;
    const store = new ObjectStore(dir, (length) => random(++drawn === 2 ? 0 : length));
    const beside = { ...key("beside"), uid: "b" };
    store.commit([key("before"), beside]);
    await store.synced();
    expect(nameOf(store.read("a"))).toBe("before");
    drawn = 0;
    expect(() => store.commit([key("after"), beside])).toThrow();
    expect(nameOf(store.read("a"))).toBe("before");
    store.close();
  });

  it("gives copies: what is done to one, and is not committed, nobody else sees", async () => {
    const store = new ObjectStore(dir, random);
    const bytes = random(32);
    store.commit([key("kept", bytes)]);
    await store.synced();
    const work = new Work(store);
    const mine = work.known("a");
    secretBytes(mine).fill(0);
    mine.attributes.name = named("other");
    mine.state = "Compromised";
    expect(store.read("a")).toMatchObject({ state: "Active" });
    expect(nameOf(store.read("a"))).toBe("kept");
    expect(secretBytes(store.read("a")!)).toEqual(bytes);
    // Whoever has it goes on with it when it has changed.
    const before = store.read("a")!;
    store.commit([key("next")]);
    await store.synced();
    expect(secretBytes(before)).toEqual(bytes);
    store.close();
  });

  it("shows who only looks one copy, which nobody changes, until the object is another", async () => {
    const store = new ObjectStore(dir, random);
    store.commit([key("first")]);
    const work = new Work(store);
    expect(nameOf(work.look("a"))).toBe("first");
    await store.synced();
    const seen = work.look("a") as ManagedObject;
    expect(work.look("a")).toBe(seen);
    expect(() => {
      seen.state = "Compromised";
    }).toThrow(TypeError);
    expect(() => {
      seen.attributes.fresh = false;
    }).toThrow(TypeError);
    // What this work has changed itself it sees, and nobody else does.
    work.put({ ...seen, state: "Deactivated" });
    expect([work.look("a")?.state, new Work(store).look("a")?.state]).toEqual(["Deactivated", "Active"]);
    work.commit();
    expect(new Work(store).look("a")?.state).toBe("Deactivated");
    await store.synced();
    expect(new Work(store).look("a")?.state).toBe("Deactivated");
    expect(new Work(store).look("b")).toBeUndefined();
    store.close();
  });

  it("reads no row from memory that something else has altered", async () => {
    const store = new ObjectStore(dir, random);
    store.commit([key("whole")]);
    await store.synced();
    expect(store.read("a")).toBeDefined();
    const database = new DatabaseSync(join(dir, "hsm.sqlite"));
    database.exec("UPDATE objects SET sealed = zeroblob(100)");
    expect(() => store.read("a")).toThrow("damaged");
    database.exec("DELETE FROM objects");
    expect(store.read("a")).toBeUndefined();
    database.close();
    store.close();
  });
});

describe("the HSM, which has looked at an object", () => {
  let test: TestHsm;
  let clock = () => new Date();
  let alice: KmipClient;
  let elsewhere: KmipClient;
  let restart: () => Promise<void>;
  beforeAll(async () => {
    test = await testHsm({ now: () => clock() });
    const pair = await issueClient(test.pki.dir, "alice");
    // Two clients of one identity, as two edges are.
    const connect = () => {
      [alice, elsewhere] = [test.as(pair), test.as(pair)];
    };
    connect();
    restart = () => test.restart().then(connect);
  });
  afterAll(() => test.close());

  const made = async (more: object = {}) => {
    const attributes = {
      ...AES,
      cryptographicUsageMask: ["Encrypt" as const],
      cryptographicParameters: [{ blockCipherMode: "CTR" as const }],
      activationDate: PAST,
      ...more,
    };
    const { uniqueIdentifier } = await alice.request("Create", { objectType: "SymmetricKey", attributes });
    return uniqueIdentifier;
  };
  const use = (client: KmipClient, uniqueIdentifier: string) =>
    client.request("Encrypt", { uniqueIdentifier, data: random(16), ivCounterNonce: random(16) });
  const revocation = (
    uniqueIdentifier: string,
    revocationReasonCode: "KeyCompromise" | "CessationOfOperation",
  ) => ({
    uniqueIdentifier,
    revocationReason: { revocationReasonCode },
  });

  it("refuses at once what another client has revoked, archived or destroyed, and so it does when it starts again", async () => {
    for (const code of ["KeyCompromise", "CessationOfOperation"] as const) {
      const uid = await made();
      await use(alice, uid);
      await elsewhere.request("Revoke", revocation(uid, code));
      expect(await reason(use(alice, uid))).toBe("WrongKeyLifecycleState");
      await elsewhere.request("Destroy", { uniqueIdentifier: uid });
      expect(await reason(use(alice, uid))).toBe("ObjectDestroyed");
      await restart();
      expect(await reason(use(alice, uid))).toBe("ObjectDestroyed");
    }
    const uid = await made();
    await use(alice, uid);
    await elsewhere.request("Archive", { uniqueIdentifier: uid });
    expect(await reason(use(alice, uid))).toBe("ObjectArchived");
    await elsewhere.request("Recover", { uniqueIdentifier: uid });
    await use(alice, uid);
  });

  it("counts each use of a key with limits, from whichever client, and keeps its dates", async () => {
    const usageLimits = { usageLimitsTotal: 3n, usageLimitsUnit: "Object" as const };
    const limited = await made({ usageLimits });
    for (const client of [alice, elsewhere, alice]) await use(client, limited);
    await restart();
    expect(await reason(use(elsewhere, limited))).toBe("PermissionDenied");
    const until = await made({ deactivationDate: new Date(Date.now() + 3600_000) });
    await use(alice, until);
    clock = () => new Date(Date.now() + 2 * 3600_000);
    expect(await reason(use(alice, until))).toBe("WrongKeyLifecycleState");
    clock = () => new Date();
    await use(alice, until);
  });

  it("wraps no more to a recipient whose certificate, authority or root has gone since", async () => {
    const h: Hierarchy = await testHierarchy(test);
    const get = () =>
      h.kms.request("Get", { uniqueIdentifier: h.data, keyWrappingSpecification: oaep(h.recipient) });
    await get();
    await get();
    await h.officer.request("Revoke", revocation(h.authority.uid, "KeyCompromise"));
    await denied(get());
  });
});
