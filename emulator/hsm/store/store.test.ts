import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { named } from "#protocol/hierarchy/index.ts";
import { item, KmipError, payloadOf } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, keyBytes, PAST, testHierarchy } from "../testing/hierarchy.ts";
import type { ManagedObject } from "./managed-object.ts";
import { secretBytes } from "./material.ts";
import { ObjectStore } from "./store.ts";
import { Conflict, Work } from "./work.ts";

const random = (length: number) => new Uint8Array(randomBytes(length));

function key(uid: string, bytes: Uint8Array<ArrayBuffer>, name = uid): ManagedObject {
  return {
    uid,
    owner: "alice",
    objectType: "SymmetricKey",
    state: "Active",
    attributes: { name: named(name), cryptographicAlgorithm: "AES", activationDate: PAST },
    value: { symmetricKey: { keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial: bytes } } } },
  };
}

describe("the store", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "coffer-store-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("keeps objects, finds them by their attributes, and forgets what changed", () => {
    const store = new ObjectStore(dir, random);
    store.commit([key("a", random(32), "first"), key("b", random(32), "second")]);
    expect(store.find([["name", "second"]])).toEqual(["b"]);
    expect(store.find([["cryptographicAlgorithm", "AES"]])).toEqual(["a", "b"]);
    expect(store.find([])).toEqual(["a", "b"]);
    store.commit([key("b", random(32), "third")]);
    expect(store.find([["name", "second"]])).toEqual([]);
    expect(store.read("c")).toBeUndefined();
    expect(store.read("a")?.attributes.activationDate).toEqual(PAST);
    store.close();
    const again = new ObjectStore(dir, random);
    expect(again.read("b")?.attributes.name?.[0]?.nameValue).toBe("third");
    again.close();
  });

  it("finds what has one of several sets of entries, in order of creation", () => {
    const store = new ObjectStore(dir, random);
    const of = (uid: string, owner: string, operationPolicyName?: string): ManagedObject => {
      const object = key(uid, random(32), "same");
      return { ...object, owner, attributes: { ...object.attributes, operationPolicyName } };
    };
    store.commit([of("a", "bob", "open"), of("b", "bob"), of("c", "alice"), of("d", "carol", "open")]);
    const anyOf = [
      [["owner", "alice"]],
      [
        ["operationPolicyName", "open"],
        ["owner", "bob"],
      ],
    ] as const;
    const aes = ["cryptographicAlgorithm", "AES"] as const;
    const name = ["name", "same"] as const;
    for (const entries of [[], [aes], [name], [name, aes], [aes, ["objectType", "SymmetricKey"] as const]])
      expect(store.find(entries, anyOf)).toEqual(["a", "c"]);
    expect(store.find([["name", "other"]], anyOf)).toEqual([]);
    expect(store.find([["cryptographicAlgorithm", "RSA"]], anyOf)).toEqual([]);
    expect(store.find([], [])).toEqual([]);
    const work = new Work(store);
    work.put(of("c", "dave"));
    work.put(of("e", "alice"));
    expect(work.find([aes], anyOf)).toEqual(["a", "e"]);
    store.close();
  });

  it("writes all of a commit or nothing", () => {
    const store = new ObjectStore(dir, random);
    const unstorable = {
      ...key("b", random(32)),
      value: { symmetricKey: () => {} },
    } as unknown as ManagedObject;
    expect(() => store.commit([key("a", random(32)), unstorable])).toThrow();
    expect(store.read("a")).toBeUndefined();
    store.commit([key("a", random(32))]);
    expect(store.read("a")).toBeDefined();
    store.close();
  });

  it("changes all that is on the disk or nothing, whatever fails on the way", async () => {
    let drawn = Number.NEGATIVE_INFINITY;
    const store = new ObjectStore(dir, (length) => random(++drawn === 2 ? 0 : length));
    store.commit([key("a", random(32), "a before"), key("b", random(32))]);
    await store.synced();
    drawn = 0;
    expect(() => store.commit([key("a", random(32), "a after"), key("b", random(32))])).toThrow();
    expect(store.find([["name", "a before"]])).toEqual(["a"]);
    store.commit([key("c", random(32))]);
    await store.synced();
    const other = new ObjectStore(dir, random);
    expect(other.read("a")?.attributes.name?.[0]?.nameValue).toBe("a before");
    expect(other.find([["name", "a after"]])).toEqual([]);
    other.close();
    store.close();
  });

  it("takes no entry of its index that SQLite would refuse when others' objects are written", () => {
    const store = new ObjectStore(dir, random);
    const unstorable = key("a", random(32), new Uint8Array(1) as unknown as string);
    expect(() => store.commit([unstorable])).toThrow("no text");
    expect(store.read("a")).toBeUndefined();
    store.close();
  });

  it("writes nothing of what was made and destroyed since the last write, until there is something else to write", async () => {
    const store = new ObjectStore(dir, random);
    const other = new ObjectStore(dir, random);
    store.commit([key("a", random(32))]);
    const { value: _, ...destroyed } = key("a", random(32));
    store.commit([{ ...destroyed, state: "Destroyed" }]);
    await store.synced();
    expect(other.read("a")).toBeUndefined();
    expect(store.read("a")?.state).toBe("Destroyed");
    expect(store.find([["name", "a"]])).toEqual(["a"]);
    store.commit([key("b", random(32))]);
    await store.synced();
    expect(other.find([])).toEqual(["a", "b"]);
    expect(other.read("a")).toMatchObject({ state: "Destroyed" });
    store.close();
    other.close();
  });

  it("leaves alone what was read before it was written", async () => {
    const store = new ObjectStore(dir, random);
    const bytes = random(32);
    store.commit([key("a", bytes)]);
    const read = store.read("a")!;
    // Nothing else's bytes lie beside it, and nobody gets it with theirs.
    expect(secretBytes(read).buffer.byteLength).not.toBe(Buffer.from("shared").buffer.byteLength);
    await store.synced();
    expect(secretBytes(read)).toEqual(bytes);
    expect(secretBytes(store.read("a")!)).toEqual(bytes);
    store.close();
  });

  it("has on the disk what lives when it is synced, whatever was destroyed beside it", async () => {
    const store = new ObjectStore(dir, random);
    const { value: _, ...destroyed } = key("a", random(32));
    store.commit([{ ...destroyed, state: "Destroyed" }, key("b", random(32))]);
    await store.synced();
    const other = new ObjectStore(dir, random);
    expect(other.find([])).toEqual(["a", "b"]);
    other.close();
    store.close();
  });

  it("writes what was destroyed, and is not waited for, before there is much of it and when it is closed", async () => {
    const store = new ObjectStore(dir, random);
    const other = new ObjectStore(dir, random);
    const commit = (uid: string) => {
      const { value: _, ...destroyed } = key(uid, random(32));
      store.commit([{ ...destroyed, state: "Destroyed" }]);
      return store.synced();
    };
    for (let n = 0; n < 300; n++) await commit(`key ${n}`);
    expect(other.find([]).length).toBeGreaterThan(200);
    store.close();
    expect(other.find([])).toHaveLength(300);
    other.close();
  });

  it("tells by the same version what was read before it was written and is as it was", async () => {
    const store = new ObjectStore(dir, random);
    store.commit([key("a", random(32)), key("b", random(32))]);
    const [one, two] = [new Work(store), new Work(store)];
    const [a, b] = [one.known("a"), two.known("b")];
    await store.synced();
    store.commit([key("b", random(32), "another")]);
    one.put(a);
    one.commit();
    two.put(b);
    expect(() => two.commit()).toThrow(Conflict);
    store.close();
  });

  it("keeps the commits that came together with one that failed", async () => {
    const store = new ObjectStore(dir, random);
    const unstorable = { ...key("c", random(32)), value: () => {} } as unknown as ManagedObject;
    store.commit([key("a", random(32))]);
    expect(() => store.commit([key("b", random(32)), unstorable])).toThrow();
    store.commit([key("d", random(32))]);
    await store.synced();
    // Another connection sees only what was really written.
    const other = new ObjectStore(dir, random);
    expect(other.find([])).toEqual(["a", "d"]);
    other.close();
    store.close();
  });

  it("writes nothing more after a write that failed, not even when it is closed", async () => {
    const store = new ObjectStore(dir, random);
    const disk = new DatabaseSync(join(dir, "hsm.sqlite"));
    // It has no room for b until a is written a second time.
    disk.exec(`CREATE TABLE room (left INTEGER);
      CREATE TRIGGER full BEFORE INSERT ON objects WHEN NEW.uid = 'b' AND NOT EXISTS (SELECT 1 FROM room)
        BEGIN SELECT RAISE(ABORT, 'disk full'); END;
      CREATE TRIGGER emptied AFTER UPDATE ON objects BEGIN INSERT INTO room VALUES (1); END;`);
    store.commit([key("a", random(32)), key("b", random(32))]);
    await expect(store.synced()).rejects.toThrow("disk full");
    expect(() => store.commit([key("c", random(32))])).toThrow("can no longer be written");
    expect(store.read("b")).toBeUndefined();
    store.close();
    disk.close();
    const again = new ObjectStore(dir, random);
    expect(again.find([])).toEqual([]);
    again.close();
  });

  it("reads no row that was altered, moved to another identifier, or sealed under another key", () => {
    const store = new ObjectStore(dir, random);
    store.commit([key("a", random(32)), key("b", random(32))]);
    store.close();
    const database = new DatabaseSync(join(dir, "hsm.sqlite"));
    const sealed = (uid: string) =>
      database.prepare("SELECT sealed FROM objects WHERE uid = ?").get(uid)!.sealed as Uint8Array;
    const write = database.prepare("UPDATE objects SET sealed = ? WHERE uid = ?");
    const [a, b] = [sealed("a"), sealed("b")];
    const reading = (uid: string) => {
      const opened = new ObjectStore(dir, random);
      try {
        return opened.read(uid);
      } finally {
        opened.close();
      }
    };
    write.run(b, "a");
    expect(() => reading("a")).toThrow("damaged");
    for (const at of [0, 12, a.length - 1]) {
      const altered = Uint8Array.from(a);
      altered[at]! ^= 1;
      write.run(altered, "a");
      expect(() => reading("a")).toThrow("damaged");
    }
    write.run(a.subarray(0, 20), "a");
    expect(() => reading("a")).toThrow("damaged");
    write.run(a, "a");
    expect(reading("a")).toBeDefined();
    writeFileSync(join(dir, "hsm.key"), random(32));
    expect(() => reading("a")).toThrow("damaged");
    database.close();
  });

  it.skipIf(process.platform !== "linux")(
    "comes to an end where the system lets nobody make a folder",
    () => {
      const hsm = new URL("../index.ts", import.meta.url).href;
      const script = `
      import { ObjectStore, startHsm } from ${JSON.stringify(hsm)};
      const dir = "/proc/coffer/below";
      try { new ObjectStore(dir, () => {}); } catch ({ code }) { console.log(code); }
      await startHsm({ dir }).catch(({ code }) => console.log(code));`;
      // In a process of its own, which a loop without end does not keep from being ended.
      const options = { encoding: "utf8", timeout: 20_000, killSignal: "SIGKILL" } as const;
      const { signal, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], options);
      expect({ signal, stdout }).toEqual({ signal: null, stdout: "ENOENT\nENOENT\n" });
    },
  );

  it("makes a key file that its owner alone can read, and takes no other", () => {
    new ObjectStore(dir, random).close();
    const path = join(dir, "hsm.key");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(path).size).toBe(32);
    chmodSync(path, 0o640);
    expect(() => new ObjectStore(dir, random)).toThrow("0600");
    chmodSync(path, 0o600);
    writeFileSync(path, random(31));
    expect(() => new ObjectStore(dir, random)).toThrow("damaged");
  });
});

describe("the HSM's files", () => {
  let test: TestHsm;
  beforeEach(async () => {
    test = await testHsm();
  });
  afterEach(() => test.close());

  it("W1 hold no key bytes: neither database, write-ahead log nor log decrypt anything without the key file", async () => {
    const hierarchy = await testHierarchy(test);
    const alice = test.as(await issueClient(test.pki.dir, "alice"));
    const { uniqueIdentifier } = await alice.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], name: named("planted name") },
    });
    const known = keyBytes(await alice.request("Get", { uniqueIdentifier }));
    const store = new ObjectStore(test.dir, random);
    const keys = [hierarchy.master, hierarchy.account, hierarchy.data].map((uid) =>
      secretBytes(store.read(uid)!),
    );
    store.close();
    const files = readdirSync(test.dir).filter((file) => file !== "hsm.key");
    expect(files).toEqual(expect.arrayContaining(["hsm.sqlite", "hsm.sqlite-wal", "hsm.log"]));
    const dump = Buffer.concat(files.map((file) => readFileSync(join(test.dir, file))));
    for (const secret of [known, ...keys])
      for (const form of ["latin1", "hex", "base64", "base64url"] as const) {
        const text = Buffer.from(secret).toString(form);
        expect(dump.includes(Buffer.from(text, form === "latin1" ? "latin1" : "ascii"))).toBe(false);
      }
    // Positive control: the index, which is in clear, is found by the same search.
    expect(dump.includes(Buffer.from("planted name"))).toBe(true);
  }, 30_000);

  it("keep what was acknowledged over a restart", async () => {
    const pair = await issueClient(test.pki.dir, "alice");
    const made = await test.as(pair).request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] },
    });
    const before = keyBytes(await test.as(pair).request("Get", made));
    await test.restart();
    expect(keyBytes(await test.as(pair).request("Get", made))).toEqual(before);
  });

  it("batches: each item a transaction, or all undone", async () => {
    const alice = test.as(await issueClient(test.pki.dir, "alice"));
    const make = (name: string) =>
      item("Create", {
        objectType: "SymmetricKey",
        attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], name: named(name) },
      });
    const bad = item("Get", { uniqueIdentifier: "nothing" });
    const find = async (name: string) =>
      (await alice.request("Locate", { attributes: { name: named(name) } })).uniqueIdentifier.length;
    const status = (answers: { resultStatus: unknown }[]) => answers.map(({ resultStatus }) => resultStatus);
    const run = (name: string, option?: "Stop" | "Continue" | "Undo") =>
      alice.batch(
        [make(`${name}-1`), bad, make(`${name}-2`)] as const,
        option ? { batchErrorContinuationOption: option } : {},
      );
    expect(status(await run("stop"))).toEqual(["Success", "OperationFailed", "OperationFailed"]);
    expect([await find("stop-1"), await find("stop-2")]).toEqual([1, 0]);
    expect(status(await run("continue", "Continue"))).toEqual(["Success", "OperationFailed", "Success"]);
    expect([await find("continue-1"), await find("continue-2")]).toEqual([1, 1]);
    expect(status(await run("undo", "Undo")).slice(0, 2)).toEqual(["OperationUndone", "OperationFailed"]);
    expect([await find("undo-1"), await find("undo-2")]).toEqual([0, 0]);
    const [made, activated, attributes] = await alice.batch([
      make("placeholder"),
      item("Activate", {}),
      item("GetAttributes", { attributeReference: ["state"] }),
    ] as const);
    expect(payloadOf(activated).uniqueIdentifier).toBe(payloadOf(made).uniqueIdentifier);
    expect(payloadOf(attributes).attributes.state).toBe("Active");
    await expect(alice.request("Activate", {})).rejects.toThrow(KmipError);
  });
});
