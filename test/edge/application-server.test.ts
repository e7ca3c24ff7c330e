import { cp, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { rotateMasterKey } from "#cli/master-key.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import type { InstanceDescription } from "#protocol/port/index.ts";
import { appKeyFile, keepAppKey, type NodeMicroserviceOptions, openAppKey } from "#web/hosts/node/index.ts";
import type { Step } from "#web/microservice/index.ts";
import { Datastore } from "../../docs/examples/application-server/datastore.ts";
import { applicationServer } from "../../docs/examples/application-server/server.ts";
import { Wire } from "../support/wire.ts";
import { hsmClient } from "../system/hsm.ts";
import { useSystem, watchTraffic } from "../system/index.ts";

const PASSPHRASE = "a secret of the server, at random";
const system = useSystem({ level: "master", admins: ["Ada"] });
let dir: string;
/** What its instance tells, and what its datastore has written. */
let steps: (Step | { step: "store"; what: "ciphertext" })[] = [];
/** What was told before the first request. */
let startUp: string[];
let running: Awaited<ReturnType<typeof start>>;

/** That of docs/examples, which says when a document is there whole. */
class Told extends Datastore {
  override async put(...given: Parameters<Datastore["put"]>): Promise<void> {
    await super.put(...given);
    steps.push({ step: "store", what: "ciphertext" });
  }
}

/** The server of docs/examples, its app-specific key beside its ciphertext; decrypted keys go after a second. */
async function start(
  more: Pick<NodeMicroserviceOptions, "copiesTimeToLive" | "timeToLive" | "watch"> = {},
  wire?: Wire,
) {
  const { appOrigin: app, vaultOrigin: vault } = system;
  const kept = keepAppKey(appKeyFile(join(dir, "app-specific-key.pem")), PASSPHRASE);
  const instance = { ...kept, timeToLive: 1000, watch: (step: Step) => void steps.push(step), ...more };
  const client: Client = await connect({
    ...{ app, vault, rootKey: system.running.rootKey, user: "server", instance },
    ...(wire && { fetch: wire.fetch }),
  });
  const enrolled = await client.microservice.use();
  const account = client.account();
  const server = applicationServer({
    microservice: async () => (await client.microservice.use()).port,
    tenant: client.identity.tenant,
    datastore: new Told(dir),
    accountOf: ({ headers }) => (headers.get("authorization") === "Bearer device" ? account : undefined),
  });
  const device = { authorization: "Bearer device" };
  const path = (id: string) => `/documents/${id}`;
  return {
    ...{ client, account, server, enrolled },
    upload: (id: string, body: string) => server.request(path(id), { method: "PUT", headers: device, body }),
    download: (id: string) => server.request(path(id), { headers: device }),
  };
}

/** `who what`, in order. */
const told = () =>
  steps.map((step) => [step.step, step.what, "whom" in step && step.whom].filter(Boolean).join(" "));
const dropped = ["drop account key", "drop data key", "drop master key"];
const locked = async () => {
  await expect
    .poll(() =>
      told()
        .filter((line) => line.startsWith("drop"))
        .sort(),
    )
    .toEqual(dropped);
  steps = [];
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "coffer-application-server-"));
  running = await start();
  startUp = told();
});
beforeEach(() => {
  steps = [];
});
afterAll(async () => {
  running?.client.close();
  await rm(dir, { recursive: true });
});
it("W4 reads its app-specific key and asks the KMS for Enc(master) at start-up, before any request", () => {
  expect(running.enrolled.instance.level).toBe("master");
  expect(startUp).toEqual([
    "read app-specific key",
    ...["ask token IAM", "get token IAM"],
    ...["ask master key KMS", "get master key KMS"],
  ]);
});

it("A1 seals what a client device uploads: every message and key, in this order, and the data key goes after a set time", async () => {
  const id = crypto.randomUUID();
  expect((await running.upload(id, "A1's document")).status).toBe(201);
  expect(told()).toEqual([
    "receive data",
    ...["ask key identifier IAM", "get key identifier IAM"],
    ...["ask data key KMS", "ask account key IAM"],
    ...[expect.stringMatching(/^get (data key KMS|account key IAM)$/)],
    ...[expect.stringMatching(/^get (data key KMS|account key IAM)$/)],
    ...["decrypt master key", "decrypt account key", "decrypt data key"],
    ...["encrypt data", "store ciphertext"],
  ]);
  // The key identifier that the IAM gave is by what the KMS was asked, and what the document names.
  const keys = steps.flatMap((step) => ("key" in step && step.what === "data key" ? [step.key] : []));
  expect(new Set(keys).size).toBe(1);
  const stored = (await readFile(join(dir, running.account, id))).toString("latin1");
  expect(stored).toContain(keys[0]);
  expect(stored).not.toContain("A1's document");
  await locked();
});

it("A1, W4 as one trace: from a start of the server to the end of what it has decrypted, with what its datastore writes", async () => {
  running.client.close();
  steps = [];
  running = await start();
  const id = crypto.randomUUID();
  expect((await running.upload(id, "one trace")).status).toBe(201);
  await expect.poll(() => told().filter((line) => line.startsWith("drop")).length).toBe(dropped.length);
  const trace = told();
  // What is asked side by side may be answered in either order, and is dropped in any.
  const asked = trace.splice(8, 4);
  const ended = trace.splice(13);
  expect(asked.slice(0, 2).sort()).toEqual(["ask account key IAM", "ask data key KMS"]);
  expect(asked.slice(2).sort()).toEqual(["get account key IAM", "get data key KMS"]);
  expect(ended.sort()).toEqual(dropped);
  expect(trace).toEqual([
    "read app-specific key",
    ...["ask token IAM", "get token IAM"],
    ...["ask master key KMS", "get master key KMS"],
    "receive data",
    ...["ask key identifier IAM", "get key identifier IAM"],
    ...["decrypt master key", "decrypt account key", "decrypt data key"],
    ...["encrypt data", "store ciphertext"],
  ]);
  steps = [];
});

it("A1 on the wire: token and Enc(master) before any request, then KI, and by it Enc(data) and Enc(account), each asked of its own; nothing else", async () => {
  running.client.close();
  const wire = new Wire();
  running = await start({}, wire);
  const master = "POST /instances/master-key";
  expect(wire.lines).toEqual([
    ...["ask POST /instances/token", "get 200 POST /instances/token"],
    ...[`ask ${master}`, `get 200 ${master}`],
  ]);
  const { wrappedKey } = JSON.parse(wire.body(`get 200 ${master}`)) as { wrappedKey: string };
  expect(Buffer.from(wrappedKey, "base64url")).toHaveLength(384);
  wire.clear();
  const id = crypto.randomUUID();
  expect((await running.upload(id, "A1's document on the wire")).status).toBe(201);
  const [identifiers, data, account] = [
    "POST /instances/key-identifiers",
    "GET /instances/accounts/…/data-keys/KI",
    "GET /instances/accounts/…/key",
  ];
  const { lines } = wire;
  expect(lines.slice(0, 2)).toEqual([`ask ${identifiers}`, `get 200 ${identifiers}`]);
  expect(lines.slice(2, 4).sort()).toEqual([`ask ${data}`, `ask ${account}`].sort());
  expect(lines.slice(4).sort()).toEqual([`get 200 ${data}`, `get 200 ${account}`].sort());
  // By what belongs to the data the IAM says which key, and that one the KMS is asked for.
  expect(wire.body(`ask ${identifiers}`)).toContain(running.account);
  const { keyId, keyVersion } = JSON.parse(wire.body(`get 200 ${identifiers}`)) as {
    keyId: string;
    keyVersion: number;
  };
  expect(wire.body(`ask ${data}`)).toContain(`/${keyId}.${keyVersion} `);
  const { edk } = JSON.parse(wire.body(`get 200 ${data}`)) as { edk: string };
  const { wrapped } = JSON.parse(wire.body(`get 200 ${account}`)) as { wrapped: string };
  expect(Buffer.from(wrapped, "base64url")).toHaveLength(40);
  expect((await readFile(join(dir, running.account, id))).toString("latin1")).toContain(
    edk.split(".")[1]?.slice(0, 64),
  );
  // Once the data key has gone, a set time after its last use, the IAM is asked again, which knows whether it may have it.
  await locked();
  wire.clear();
  expect(await (await running.download(id)).text()).toBe("A1's document on the wire");
  expect(wire.lines).toEqual([`ask ${identifiers}`, `get 200 ${identifiers}`]);
  await locked();
});

it("W2 opens what a client device downloads, by the key that the document names", async () => {
  const id = crypto.randomUUID();
  await running.upload(id, "W2's document");
  await locked();
  expect(await (await running.download(id)).text()).toBe("W2's document");
  // Encrypted copies are still there: the IAM alone is asked, which knows whether this instance may.
  expect(told()).toEqual([
    "receive document",
    ...["ask key identifier IAM", "get key identifier IAM"],
    ...["decrypt master key", "decrypt account key", "decrypt data key"],
    "decrypt document",
  ]);
  await locked();
});

it("W7 deletes what it decrypted a set time after its last use, and encrypted copies after theirs: then it must fetch again", async () => {
  running.client.close();
  running = await start({ copiesTimeToLive: 2500 });
  const id = crypto.randomUUID();
  steps = [];
  await running.upload(id, "W7's document");
  const came = Date.now();
  expect(await (await running.download(id)).text()).toBe("W7's document");
  // In use: decrypted once for both.
  expect(told().filter((line) => line === "decrypt data key")).toHaveLength(1);
  await locked();
  await expect.poll(() => Date.now() - came).toBeGreaterThan(2500);
  expect(await (await running.download(id)).text()).toBe("W7's document");
  expect(
    told()
      .filter((line) => line.startsWith("ask"))
      .sort(),
  ).toEqual([...["ask account key IAM", "ask data key KMS", "ask key identifier IAM", "ask master key KMS"]]);
  await locked();
});

it("W7 drops what it decrypted at a lock, at once, and its encrypted copies at a sign-out", async () => {
  running.client.close();
  running = await start({ timeToLive: 600_000 });
  const { port } = running.enrolled;
  const id = crypto.randomUUID();
  await running.upload(id, "W7's document");
  expect(await (await running.download(id)).text()).toBe("W7's document");
  steps = [];
  await port.lock();
  expect(told().sort()).toEqual(dropped);
  steps = [];
  expect(await (await running.download(id)).text()).toBe("W7's document");
  expect(told()).toEqual([
    "receive document",
    ...["ask key identifier IAM", "get key identifier IAM"],
    ...["decrypt master key", "decrypt account key", "decrypt data key"],
    "decrypt document",
  ]);
  steps = [];
  await port.forget();
  expect(told().sort()).toEqual(dropped);
  const opened = (async () => (await running.download(id)).text())();
  await expect(opened).rejects.toMatchObject({ code: "not-enrolled" });
  running.client.close();
  running = await start();
  steps = [];
  expect(await (await running.download(id)).text()).toBe("W7's document");
  // None of the copies is there, but for Enc(master), which came at the start-up.
  const asked = told().filter((line) => line.startsWith("ask"));
  expect(asked.sort()).toEqual(["ask account key IAM", "ask data key KMS", "ask key identifier IAM"]);
  await locked();
});

it("W5 has the KMS ask the HSM where it has not kept Enc(data), in the same trace, and once for all who come later", async () => {
  running.client.close();
  await system.restart();
  const traffic = watchTraffic();
  try {
    const got = () =>
      traffic.requests().filter(({ items }) => items.some(({ operation }) => operation === "Get")).length;
    /** Keys that the HSM gave between question and answer. */
    const between = { "master key": [] as number[], "data key": [] as number[] };
    const watch = (step: Step) => {
      if (step.step !== "ask" && step.step !== "get") return;
      if (step.what === "master key" || step.what === "data key") between[step.what].push(got());
    };
    const gave = (what: keyof typeof between) => {
      const [asked = 0, answered = 0] = between[what].splice(0);
      return answered - asked;
    };
    running = await start({ watch });
    expect(gave("master key")).toBeGreaterThan(0);
    expect((await running.upload(crypto.randomUUID(), "W5's document")).status).toBe(201);
    expect(gave("data key")).toBeGreaterThan(0);
    running.client.close();
    running = await start({ watch });
    expect((await running.upload(crypto.randomUUID(), "a hit")).status).toBe(201);
    expect(gave("data key")).toBe(0);
  } finally {
    traffic.stop();
  }
  running.client.close();
  running = await start();
});

it("A5 keeps its key beside its ciphertext, where nobody else reaches either", async () => {
  const id = crypto.randomUUID();
  await running.upload(id, "A5's document");
  expect((await readdir(dir)).sort()).toEqual([running.account, "app-specific-key.pem"].sort());
  for (const path of ["app-specific-key.pem", join(running.account, id)])
    expect((await stat(join(dir, path))).mode & 0o077).toBe(0);
  expect(await (await running.download(id)).text()).toBe("A5's document");
  await locked();
});

it("W6 is certified after a restart by the public half of the same app-specific key, and Enc(master) opens by its private half", async () => {
  const id = crypto.randomUUID();
  await running.upload(id, "W6's document");
  const before = running.enrolled.instance;
  running.client.close();
  steps = [];
  running = await start();
  const { id: instance, wrappingCertificate } = running.enrolled.instance;
  const spki = (certificate: string) => parseCertificate(decodeBase64url(certificate)).spki;
  expect(instance).not.toBe(before.id);
  expect(spki(wrappingCertificate)).toEqual(spki(before.wrappingCertificate));
  const { wrappingSpki } = await openAppKey(appKeyFile(join(dir, "app-specific-key.pem")), PASSPHRASE);
  expect(spki(wrappingCertificate)).toEqual(wrappingSpki);
  expect(await (await running.download(id)).text()).toBe("W6's document");
  expect(told()).toContain("decrypt master key");
  await locked();
});

it("W10 makes the next version of the data key, which the HSM keeps; documents of before still open", async () => {
  const { enrolled, account } = running;
  const [before, after] = [crypto.randomUUID(), crypto.randomUUID()];
  await running.upload(before, "before");
  const current = steps.findLast((step) => step.step === "decrypt" && step.what === "data key");
  const made = await enrolled.port.renew(account);
  expect(`${made.keyId}.${made.keyVersion - 1}`).toBe(current && "key" in current && current.key);
  await running.upload(after, "after");
  const header = async (id: string) => (await readFile(join(dir, account, id))).toString("latin1");
  expect(await header(after)).toContain(`${made.keyId}.${made.keyVersion}`);
  expect(await header(before)).not.toContain(`${made.keyId}.${made.keyVersion}`);
  // Of another instance, which has seen neither.
  running.client.close();
  running = await start();
  expect(await (await running.download(before)).text()).toBe("before");
  expect(await (await running.download(after)).text()).toBe("after");
});

it("W12 follows the successor of its tenant's master key, and reads all the time", async () => {
  running.client.close();
  running = await start({ timeToLive: 100, copiesTimeToLive: 200 });
  const id = crypto.randomUUID();
  await running.upload(id, "W12's document");
  const officer = await hsmClient(system, IDENTITY.officer);
  const { successor } = await rotateMasterKey(officer, "development", new Date());
  officer.close();
  const unwrapped = () =>
    steps.some((step) => step.step === "decrypt" && step.what === "master key" && step.key === successor);
  const read = async () => {
    expect(await (await running.download(id)).text()).toBe("W12's document");
    return unwrapped();
  };
  const until = Date.now() + 30_000;
  while (!(await read()) && Date.now() < until) await pause(250);
  expect(unwrapped()).toBe(true);
  expect((await running.upload(id, "W12's document again")).status).toBe(201);
  running.client.close();
  running = await start();
});

it("W12 has another app-specific key by one call while it serves, and nothing is released to the one before", async () => {
  const id = crypto.randomUUID();
  await running.upload(id, "sealed before");
  const path = join(dir, "app-specific-key.pem");
  const spkiOf = async () => encodeBase64url((await openAppKey(appKeyFile(path), PASSPHRASE)).wrappingSpki);
  const certified = ({ wrappingCertificate }: InstanceDescription) =>
    encodeBase64url(parseCertificate(decodeBase64url(wrappingCertificate)).spki);
  const [before, key] = [(await running.client.microservice.use()).instance, await spkiOf()];
  expect(certified(before)).toBe(key);
  steps = [];
  const [reads] = await Promise.all([
    (async () => {
      const read: string[] = [];
      for (let i = 0; i < 10; i++) read.push(await (await running.download(id)).text());
      return read;
    })(),
    running.client.life.rotateAppKey(),
  ]);
  expect(new Set(reads)).toEqual(new Set(["sealed before"]));
  const { instance: after } = await running.client.microservice.use();
  expect(after.id).not.toBe(before.id);
  expect(await spkiOf()).not.toBe(key);
  expect(certified(after)).toBe(await spkiOf());
  // The master key came to the other one before it took the place.
  expect(told()).toContain("get master key KMS");
  expect((await readdir(dir)).filter((name) => name.endsWith(".next"))).toEqual([]);
  expect(await (await running.download(id)).text()).toBe("sealed before");
  // What was under way in the other one has ended: it is revoked with the process, or half a minute later.
  running.client.close();
  running = await start();
  await expect
    .poll(async () => (await running.client.life.instances()).find((one) => one.id === before.id)?.status)
    .toBe("revoked");
  expect(certified(running.enrolled.instance)).toBe(await spkiOf());
  expect(await (await running.download(id)).text()).toBe("sealed before");
});

it("W12 keeps its app-specific key, and goes on with it, where the next one is refused", async () => {
  const place = appKeyFile(join(dir, "app-specific-key.pem"));
  const key = await readFile(join(dir, "app-specific-key.pem"), "utf8");
  const { appOrigin: app, vaultOrigin: vault } = system;
  const { appKey, nextAppKey } = keepAppKey(place, PASSPHRASE);
  const { rootKey } = system.running;
  const of = { app, vault, rootKey, user: "server" };
  // A host that has no other one, as a device whose key is the same still.
  const same = await connect({ ...of, instance: { appKey, nextAppKey: { ...nextAppKey, open: appKey } } });
  const { instance } = await same.microservice.use();
  await expect(same.life.rotateAppKey()).rejects.toMatchObject({ code: "conflict" });
  expect((await same.microservice.use()).instance).toEqual(instance);
  same.close();
  const only = await connect({ ...of, instance: { appKey } });
  await only.microservice.use();
  await expect(only.life.rotateAppKey()).rejects.toMatchObject({ code: "conflict" });
  only.close();
  // It cannot be kept.
  const full = { ...nextAppKey, take: () => Promise.reject(new Error("no space is left")) };
  const unkept = await connect({ ...of, instance: { appKey, nextAppKey: full } });
  const enrolled = await unkept.microservice.use();
  await expect(unkept.life.rotateAppKey()).rejects.toThrow("no space is left");
  expect(await unkept.microservice.use()).toBe(enrolled);
  unkept.close();
  expect(await readFile(join(dir, "app-specific-key.pem"), "utf8")).toBe(key);
  // The next one is kept, and the next call takes it.
  const next = await readFile(join(dir, "app-specific-key.pem.next"), "utf8");
  await running.client.life.rotateAppKey();
  expect(await readFile(join(dir, "app-specific-key.pem"), "utf8")).toBe(next);
});

it("gives a stranger nothing, and no document in the place of another", async () => {
  const [one, other] = [crypto.randomUUID(), crypto.randomUUID()];
  await running.upload(one, "one");
  const { server } = running;
  expect((await server.request(`/documents/${one}`)).status).toBe(401);
  expect((await running.download(other)).status).toBe(404);
  await cp(join(dir, running.account, one), join(dir, running.account, other));
  const opened = (async () => (await running.download(other)).text())();
  await expect(opened).rejects.toMatchObject({
    code: "decrypt-failed",
  });
});
