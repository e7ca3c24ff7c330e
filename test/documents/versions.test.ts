/** Versions of a document: what was saved before stays and is found, two who save at once are told, and a datastore that meddles is noticed. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { codeOf } from "#protocol/error.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { readStored, replaceStored } from "./bucket.ts";
import { bytesOf, connectNode } from "./node-client.ts";

const system = useSystem();
type Client = Awaited<ReturnType<typeof connectNode>>;
const devices: Client[] = [];
afterAll(() => devices.forEach((each) => void each.close()));
const text = (words: string) => new TextEncoder().encode(words);
const code = (work: Promise<unknown>) => work.then(() => "done", codeOf);

let ada: Client;
let other: Client;
let grace: Client;
let account: string;

async function device(user: string): Promise<Client> {
  const made = await connectNode(system, user);
  devices.push(made);
  return made;
}

beforeAll(async () => {
  [ada, other, grace] = (await Promise.all(["Ada", "Ada", "Grace"].map(device))) as [Client, Client, Client];
  account = ada.identity.accounts[0]!.id;
});

const seal = (name: string, words: string) => ada.documents.seal(text(words), account, { name });
const save = (id: string, words: string, by = ada, keep?: number) =>
  by.versions.save(id, text(words), { account, ...(keep !== undefined && { keep }) });
const read = async (id: string, by = ada) =>
  new TextDecoder().decode(await bytesOf((await by.documents.open(id, { account })).stream));
/** What each version says, the newest first. */
async function history(id: string, by = ada): Promise<string[]> {
  const versions = await by.versions.list(id, { account });
  return Promise.all(versions.map((version) => read(version.id, by)));
}
/** The names that a person sees in the list, each as often as it stands there. */
const listed = async (by = ada) =>
  (await by.documents.list([account])).map(({ metadata, state }) => metadata?.name ?? state ?? "");
/** Three versions of a document; the id of each, the first one first. */
async function three(name: string): Promise<[string, string, string]> {
  const { id: first } = await seal(name, "one");
  const { id: second } = await save(first, "two");
  const { id: third } = await save(second, "six");
  return [first, second, third];
}

it("Versions of a document are one row of the list, the newest; all of them open, on another device too", async () => {
  const [first, , third] = await three("plan.txt");
  for (const by of [ada, other, await device("Ada")]) {
    const rows = (await by.documents.list([account])).filter(({ metadata }) => metadata?.name === "plan.txt");
    expect(rows).toMatchObject([{ id: third, metadata: { series: { first, version: 3 } } }]);
    expect(rows[0]?.earlier).toHaveLength(2);
    expect(await history(third, by)).toEqual(["six", "two", "one"]);
    // Found by any of its versions.
    expect(await history(first, by)).toEqual(["six", "two", "one"]);
  }
  expect(await code(ada.versions.list(crypto.randomUUID(), { account }))).toBe("not-found");
});

it("Versions that two save at once: one is the newest, and the other one is told and leaves nothing", async () => {
  const { id } = await seal("both.txt", "base");
  await other.documents.list([account]);
  // As a large document too, which goes up in parts.
  const large = new Uint8Array(300_000).fill(7);
  const saves = [save(id, "mine"), other.versions.save(id, large, { account })].map(code);
  const answers = await Promise.all(saves);
  expect(answers.toSorted()).toEqual(["document-replaced", "done"]);
  const versions = await ada.versions.list(id, { account });
  expect(versions.map(({ metadata }) => metadata?.size)).toEqual([answers[0] === "done" ? 4 : 300_000, 4]);
  // Who has not looked since is told as well, and saves again once it has.
  expect(await code(save(id, "late", other))).toBe("document-replaced");
  expect(await code(save(versions[0]!.id, "late", other))).toBe("done");
  expect(await history(id)).toContain("late");
  expect((await listed()).filter((name) => name === "both.txt")).toHaveLength(1);
  expect(await listed()).not.toContain("unfinished");
});

it("Versions go back by another version, so that nothing that was saved since is lost", async () => {
  const [first, , third] = await three("back.txt");
  const restored = await ada.versions.restore(first, { account });
  expect(restored.metadata).toMatchObject({ name: "back.txt", series: { version: 4 } });
  expect(await history(restored.id, other)).toEqual(["one", "six", "two", "one"]);
  expect(await code(ada.versions.restore(restored.id, { account }))).toBe("not-found");
  // An earlier one is deleted alone, by its id.
  await ada.documents.remove(third, { account });
  expect(await history(restored.id)).toEqual(["one", "two", "one"]);
});

it("Versions end with their document, come back with it, and are gone with it for good", async () => {
  const [first, second, third] = await three("ends.txt");
  await ada.documents.remove(third, { account, days: 7 });
  expect(await listed()).not.toContain("ends.txt");
  expect(await listed(other)).not.toContain("ends.txt");
  const [deleted, ...more] = (await ada.documents.list([account], { deleted: true })).filter(
    ({ metadata }) => metadata?.name === "ends.txt",
  );
  expect([deleted?.id, deleted?.earlier?.length, more.length]).toEqual([third, 2, 0]);
  await other.documents.restore(third, { account });
  expect(await history(third)).toEqual(["six", "two", "one"]);
  // The newest again, which alone is followed.
  expect(await code(save(second, "late", other))).toBe("document-replaced");
  // By a device that has not listed anything.
  await (await device("Ada")).documents.remove(third, { account });
  for (const id of [first, second, third])
    for (const by of [ada, other]) expect(await code(read(id, by))).not.toBe("done");
  expect(await listed()).not.toContain("ends.txt");
  const left = readRows(system.edgeDir, "documents").map(({ id }) => id);
  for (const id of [first, second, third]) expect(left).not.toContain(id);
});

it("Versions go for good with a document that is among the deleted ones", async () => {
  const [first, second, third] = await three("bin.txt");
  await ada.documents.remove(third, { account, days: 7 });
  await other.documents.remove(third, { account });
  const deleted = (await ada.documents.list([account], { deleted: true })).map(({ id }) => id);
  const left = readRows(system.edgeDir, "documents").map(({ id }) => id);
  for (const id of [first, second, third]) {
    expect(deleted).not.toContain(id);
    expect(left).not.toContain(id);
  }
});

it("Versions that were saved since whoever deletes has looked stay, and so do those before them", async () => {
  // What a device has listed it knows once the account has an index.
  await ada.documents.list([account]);
  const [first, second] = await three("seen.txt");
  const seen = await other.documents.list([account]);
  const { id } = (await ada.versions.list(second, { account }))[0]!;
  await save(id, "four");
  expect(await code(other.documents.remove(id, { account, days: 7 }))).toBe("document-replaced");
  // Who says what it is to be the newest of means no earlier one.
  const among = await other.documents.list([account]);
  for (const of of [{}, { days: 7 }])
    expect(await code(other.documents.remove(id, { account, among, ...of }))).toBe("document-replaced");
  expect(seen.some((one) => one.id === id)).toBe(true);
  expect(await history(first)).toEqual(["four", "six", "two", "one"]);
});

it("Versions that were saved after the first one keep it from being deleted for the document", async () => {
  // What a device has listed it knows once the account has an index.
  await ada.documents.list([account]);
  for (const of of [{ days: 7 }, {}]) {
    const { id } = await seal("alone.txt", "one");
    await other.documents.list([account]);
    const { id: newest } = await save(id, "two");
    expect(await code(other.documents.remove(id, { account, ...of }))).toBe("document-replaced");
    expect(await history(id)).toEqual(["two", "one"]);
    // An earlier one, by its id, goes alone.
    await ada.documents.remove(id, { account });
    expect(await history(newest)).toEqual(["two"]);
  }
});

it("Versions of many documents are listed once, when those are deleted and when they are brought back", async () => {
  const asked: string[] = [];
  const counting = await connectNode(system, "Ada", (input, init) => {
    const { pathname } = new URL(String(input));
    if ((init?.method ?? "GET") === "GET" && /\/(documents|deleted[^/]*)$/.test(pathname))
      asked.push(pathname);
    return loopbackFetch(input, init);
  });
  devices.push(counting);
  const ids = [(await three("many-1.txt"))[2], (await three("many-2.txt"))[2]];
  const among = (await counting.documents.list([account])).filter(({ id }) => ids.includes(id));
  expect(asked.length).toBeGreaterThan(0);
  asked.length = 0;
  for (const { id } of among) await counting.documents.remove(id, { account, days: 7, among });
  for (const id of ids) expect(await code(read(id, other))).not.toBe("done");
  for (const document of among) await counting.documents.restore(document.id, { account, among: [document] });
  expect(asked).toEqual([]);
  for (const id of ids) expect(await history(id)).toEqual(["six", "two", "one"]);
});

it("Versions of which another device has deleted one go with their document all the same", async () => {
  for (const days of [7, undefined]) {
    const name = `less-${days ?? 0}.txt`;
    const [first, second, third] = await three(name);
    const among = await other.documents.list([account]);
    await ada.documents.remove(first, { account });
    expect(await code(other.documents.remove(third, { account, among, ...(days && { days }) }))).toBe("done");
    for (const by of [ada, other]) expect(await listed(by)).not.toContain(name);
    for (const id of [second, third]) expect(await code(read(id))).not.toBe("done");
    expect(await listed()).not.toContain("deleted");
  }
});

it("Versions before those that are kept are deleted for good, and keep takes 0 to 100", async () => {
  const [first, second, third] = await three("few.txt");
  const saved = await save(third, "four", ada, 1);
  expect(await history(saved.id, other)).toEqual(["four", "six"]);
  for (const id of [first, second]) expect(await code(read(id))).toBe("not-found");
  for (const keep of [-1, 101, 1.5, Number.NaN])
    await expect(save(saved.id, "five", ada, keep)).rejects.toThrow(RangeError);
  const alone = await save(saved.id, "five", ada, 0);
  expect(await history(alone.id)).toEqual(["five"]);
});

it("Versions stay with a document that gets another name or another key, and all of an account's are sealed again", async () => {
  const [, , third] = await three("name-1.txt");
  const { id } = await ada.documents.reEncrypt(third, { account, name: "name-2.txt" });
  expect(await history(id, other)).toEqual(["six", "two", "one"]);
  const keysBefore = (await ada.versions.list(id, { account })).map(({ key }) => key?.id);
  expect(await ada.documents.reEncryptAll(account)).toMatchObject({ failed: 0 });
  const [newest] = (await other.documents.list([account])).filter(
    ({ metadata }) => metadata?.name === "name-2.txt",
  );
  expect(await history(newest!.id, other)).toEqual(["six", "two", "one"]);
  for (const { key } of await other.versions.list(newest!.id, { account }))
    expect(keysBefore).not.toContain(key?.id);
  // Who knew it by its id of before is told; the next version follows the one that stands.
  expect(await code(save(third, "stale"))).not.toBe("done");
  await save(newest!.id, "four");
  expect(await history(newest!.id)).toEqual(["four", "six", "two", "one"]);
});

it("Versions that get another name out of an old list are told, and keep theirs", async () => {
  const [first, second] = await three("old-1.txt");
  const { id } = (await ada.versions.list(first, { account }))[0]!;
  await save(id, "four");
  for (const of of [id, second])
    expect(await code(other.documents.reEncrypt(of, { account, name: "old-2.txt" }))).toBe(
      "document-replaced",
    );
  expect(await history(first, other)).toEqual(["four", "six", "two", "one"]);
  for (const by of [ada, other]) {
    expect(await listed(by)).toContain("old-1.txt");
    expect(await listed(by)).not.toContain("old-2.txt");
  }
});

it("Versions that are finished after what they follow has got another name are followed", async () => {
  let away = false;
  const cut = await connectNode(system, "Ada", async (input, init) => {
    const { pathname } = new URL(String(input));
    if (away && init?.method === "POST" && pathname.endsWith("/document-versions"))
      throw new TypeError("away");
    return loopbackFetch(input, init);
  });
  devices.push(cut);
  const { id: first } = await seal("cut-1.txt", "one");
  const { id: second } = await save(first, "two");
  away = true;
  const third = await save(second, "six", cut);
  expect(third.state).toBe("unfinished");
  await ada.documents.reEncrypt(second, { account, name: "cut-2.txt" });
  await ada.documents.finish(third.id, { account });
  expect(await history(third.id)).toEqual(["six", "two", "one"]);
  expect(await code(save(third.id, "four"))).toBe("done");
  expect(await history(first, other)).toEqual(["four", "six", "two", "one"]);
});

it("Versions that the datastore hides, swaps or brings back are noticed like any document", async () => {
  const [, second, third] = await three("held.txt");
  await other.documents.list([account]);
  const fresh = await device("Ada");
  // Hidden.
  expect(
    changeRows(system.edgeDir, "documents", `UPDATE documents SET client = 'x' WHERE id = '${second}'`),
  ).toBe(1);
  for (const by of [other, fresh]) expect(await listed(by)).toContain("hidden");
  changeRows(system.edgeDir, "documents", `UPDATE documents SET client = 'page' WHERE id = '${second}'`);
  expect(await listed(other)).not.toContain("hidden");
  // One in the place of another, whole: content, metadata, or both.
  const own = (["content", "metadata"] as const).map((what) => readStored(system.edgeDir, second, what));
  for (const what of ["content", "metadata"] as const) {
    replaceStored(system.edgeDir, second, what, readStored(system.edgeDir, third, what));
    for (const by of [await device("Ada"), fresh]) expect(await code(read(second, by))).not.toBe("done");
  }
  expect(await code(read(second, await device("Ada")))).toBe("decrypt-failed");
  replaceStored(system.edgeDir, second, "content", own[0]!);
  replaceStored(system.edgeDir, second, "metadata", own[1]!);
  expect(await history(third, fresh)).toEqual(["six", "two", "one"]);
});

it("Versions are the account's alone: what is shared ends when another is saved, and no earlier one was ever given", async () => {
  const [first, , third] = await three("shared.txt");
  const to = grace.identity.accounts[0]!.id;
  const share = await ada.sharing.share(third, to, { account });
  const [received] = await grace.sharing.received();
  expect(new TextDecoder().decode(await bytesOf((await grace.sharing.open(received!)).stream))).toBe("six");
  expect(await code(grace.documents.open(first, { account }))).toBe("forbidden");
  await save(third, "for Ada alone");
  expect(await ada.sharing.shares({ account, document: third })).toEqual([]);
  expect(await code(grace.sharing.open(share))).toBe("share-ended");
  await expect.poll(async () => (await grace.sharing.received()).length).toBe(0);
});

it("Versions count in the quota of their account, each", async () => {
  const usage = () => {
    const [row] = readRows(system.edgeDir, "usage").filter((each) => each.account === account);
    return Number(row?.documents);
  };
  const before = usage();
  const [, , third] = await three("counted.txt");
  expect(usage() - before).toBe(3);
  await ada.documents.remove(third, { account });
  expect(usage()).toBe(before);
});
