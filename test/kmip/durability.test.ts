import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ensurePki, issueClient, type KeyAndCertificate, type Pki } from "#emulator/hsm/index.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { encodeHex } from "#protocol/bytes.ts";
import { type Attributes, createKmipClient, item, type KmipClient, payloadOf } from "#protocol/kmip/index.ts";
import { missingProgram } from "../support/missing.ts";
import { type HsmProcess, startHsmProcess } from "./hsm-process.ts";

/** Writes until the last kill; `COFFER_DURABILITY_WRITES=10000` for the long run. */
const WRITES = Number(process.env.COFFER_DURABILITY_WRITES ?? 400);
const CONNECTIONS = 4;
/** Requests that are on their way on each connection when the process is killed. */
const PIPELINED = 4;

let root: string;
let pki: Pki;
let writer: KeyAndCertificate;
const running: HsmProcess[] = [];
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "coffer-durability-"));
  pki = await ensurePki(join(root, "pki"));
  writer = await issueClient(pki.dir, "writer");
});
afterAll(async () => {
  for (const hsm of running) await hsm.kill();
  rmSync(root, { recursive: true, force: true });
});

async function start(folder: string, options?: Parameters<typeof startHsmProcess>[2]): Promise<HsmProcess> {
  const hsm = await startHsmProcess(join(root, folder), pki.dir, options);
  running.push(hsm);
  return hsm;
}

function connect(port: number): KmipClient & { close(): void } {
  const transport = tlsTransport({ host: "127.0.0.1", port, ca: pki.serverCa, ...writer });
  return { ...createKmipClient(transport), close: transport.close };
}

const AES = {
  cryptographicAlgorithm: "AES",
  cryptographicLength: 256,
  cryptographicUsageMask: ["Encrypt"],
} satisfies Attributes;
const named = (name: string) =>
  ({ name: [{ nameValue: name, nameType: "UninterpretedTextString" }] }) satisfies Attributes;

/** What was acknowledged, and what was sent and may or may not have been done. */
class Ledger {
  acknowledged = 0;
  /** Key bytes (hex) by identifier. */
  keys = new Map<string, string>();
  /** Names and groups of which it is not known whether they are there. */
  names = new Set<string>();
  pairs = new Set<string>();
  groups = new Set<string>();
  /** By identifier of a key: the last number that was acknowledged, and the last that was sent. */
  counters = new Map<string, { acknowledged: number; sent: number }>();
}

const keyBytes = ({ object }: { object: { symmetricKey?: { keyBlock: { keyValue?: unknown } } } }) =>
  encodeHex((object.symmetricKey!.keyBlock.keyValue as { keyMaterial: Uint8Array }).keyMaterial);

/** Makes a key and reads it in one batch. */
async function writeKey(client: KmipClient, ledger: Ledger, label: string): Promise<void> {
  ledger.names.add(label);
  const [created, got] = await client.batch([
    item("Create", { objectType: "SymmetricKey", attributes: { ...AES, ...named(label) } }),
    item("Get", {}),
  ]);
  ledger.names.delete(label);
  ledger.keys.set(String(payloadOf(created).uniqueIdentifier), keyBytes(payloadOf(got)));
}

/** Makes two keys in one batch that is undone as a whole. */
async function writePair(client: KmipClient, ledger: Ledger, label: string): Promise<void> {
  ledger.groups.add(label);
  const create = item("Create", { objectType: "SymmetricKey", attributes: { ...AES, objectGroup: [label] } });
  const answers = await client.batch([create, create], { batchErrorContinuationOption: "Undo" });
  for (const answer of answers) payloadOf(answer);
  ledger.groups.delete(label);
  ledger.pairs.add(label);
}

/** Changes an attribute of a key again and again. */
async function count(client: KmipClient, ledger: Ledger, uniqueIdentifier: string): Promise<void> {
  const counter = ledger.counters.get(uniqueIdentifier)!;
  const next = ++counter.sent;
  await client.request("SetAttribute", { uniqueIdentifier, newAttribute: { contactInformation: `${next}` } });
  counter.acknowledged = Math.max(counter.acknowledged, next);
}

/** Writes on all connections until the process is killed, which `after` acknowledged writes brings about. */
async function writeUntilKilled(
  hsm: HsmProcess,
  ledger: Ledger,
  round: number,
  after: number,
): Promise<void> {
  const clients = Array.from({ length: CONNECTIONS }, () => connect(hsm.port));
  let left = after;
  let killing: Promise<void> | undefined;
  await Promise.all(
    clients.flatMap((client, connection) =>
      Array.from({ length: PIPELINED }, async (_, lane) => {
        const label = `${round}.${connection}.${lane}`;
        const counter = [...ledger.counters.keys()][connection]!;
        for (let n = 0; !killing; n++) {
          try {
            if (n % 3 === 0) await writeKey(client, ledger, `key ${label}.${n}`);
            else if (n % 3 === 1) await writePair(client, ledger, `pair ${label}.${n}`);
            else await count(client, ledger, counter);
          } catch (error) {
            if (killing) return;
            throw error;
          }
          ledger.acknowledged++;
          if (--left === 0) killing = hsm.kill();
        }
      }),
    ),
  );
  await killing;
  for (const client of clients) client.close();
}

async function verify(client: KmipClient, ledger: Ledger): Promise<void> {
  const each = <T>(of: Iterable<T>, check: (one: T) => Promise<void>) => Promise.all([...of].map(check));
  await each(ledger.keys, async ([uniqueIdentifier, bytes]) => {
    expect(keyBytes(await client.request("Get", { uniqueIdentifier }))).toBe(bytes);
  });
  await each(ledger.names, async (name) => {
    const { uniqueIdentifier: found } = await client.request("Locate", { attributes: named(name) });
    expect(found.length).toBeLessThanOrEqual(1);
    for (const uid of found) await whole(client, String(uid));
  });
  await each([...ledger.groups, ...ledger.pairs], async (group) => {
    const { uniqueIdentifier: found } = await client.request("Locate", {
      attributes: { objectGroup: [group] },
    });
    expect(ledger.pairs.has(group) ? [2] : [0, 2]).toContain(found.length);
    for (const uid of found) await whole(client, String(uid));
  });
  await each(ledger.counters, async ([uniqueIdentifier, { acknowledged, sent }]) => {
    const { attributes } = await client.request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: ["contactInformation"],
    });
    const stored = Number(attributes.contactInformation ?? 0);
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    expect(stored).toBeLessThanOrEqual(sent);
  });
}

/** An object of which any part is missing would not be read, or would lack its key or its attributes. */
async function whole(client: KmipClient, uniqueIdentifier: string): Promise<void> {
  expect(keyBytes(await client.request("Get", { uniqueIdentifier }))).toHaveLength(64);
  const { attributes } = await client.request("GetAttributes", { uniqueIdentifier, attributeReference: [] });
  expect(attributes).toMatchObject({ ...AES, objectType: "SymmetricKey", state: "PreActive" });
}

it(`loses nothing acknowledged and halves nothing in ${WRITES} writes with kill -9 at random moments`, async () => {
  const ledger = new Ledger();
  for (let round = 0; ledger.acknowledged < WRITES; round++) {
    const hsm = await start("killed");
    const client = connect(hsm.port);
    if (round === 0) {
      for (let i = 0; i < CONNECTIONS; i++) {
        const made = await client.request("Create", { objectType: "SymmetricKey", attributes: AES });
        ledger.counters.set(String(made.uniqueIdentifier), { acknowledged: 0, sent: 0 });
      }
    } else await verify(client, ledger);
    client.close();
    const after = 20 + Math.floor(Math.random() * Math.min(WRITES / 4, 500));
    await writeUntilKilled(hsm, ledger, round, after);
  }
  const hsm = await start("killed");
  const client = connect(hsm.port);
  await verify(client, ledger);
  client.close();
  await hsm.stop();
}, 1_800_000);

it.skipIf(missingProgram("strace"))("syncs to the disk before it answers each write", async () => {
  const trace = join(root, "trace");
  const wrapper = ["strace", "-f", "-qq", "-e", "trace=fdatasync", "-o", trace];
  const hsm = await start("traced", { wrapper });
  const client = connect(hsm.port);
  // A call that another thread's interrupts takes two lines; only the second has the result.
  const syncs = () => readFileSync(trace, "utf8").match(/fdatasync.*= 0$/gm)?.length ?? 0;
  await client.request("Ping", {});
  let before = syncs();
  const create = item("Create", { objectType: "SymmetricKey", attributes: AES });
  for (let i = 0; i < 50; i++) {
    const [created] = await client.batch([create]);
    const uniqueIdentifier = payloadOf(created).uniqueIdentifier;
    const now = syncs();
    expect(now).toBeGreaterThan(before);
    await client.request("Activate", { uniqueIdentifier });
    before = syncs();
    expect(before).toBeGreaterThan(now);
  }
  // What a batch makes and destroys again is nothing that a crash could take from anybody.
  for (let i = 0; i < 10; i++) {
    const answers = await client.batch([create, item("Get", {}), item("Destroy", {})]);
    for (const answer of answers) payloadOf(answer);
  }
  expect(syncs()).toBe(before);
  client.close();
  await hsm.stop();
});
