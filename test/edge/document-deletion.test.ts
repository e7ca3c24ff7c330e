/** Documents that are deleted some days ahead, on the real edge: who may, what is left until then, and what is not after it. A day is five seconds here. */

import { beforeAll, expect, it } from "vitest";
import type { DeletedPage, DocumentPage } from "#protocol/contract/index.ts";
import { connectNode } from "../documents/node-client.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ vars: { COFFER_DAY_SECONDS: "5" } });
let ann: EdgeClient;
let bob: EdgeClient;
const text = (words: string) => new TextEncoder().encode(words);

beforeAll(async () => {
  [ann, bob] = (await Promise.all(["Ann", "Bob"].map((name) => EdgeClient.signedIn(system, name)))) as [
    EdgeClient,
    EdgeClient,
  ];
});

async function sealed(name: string) {
  const client = await connectNode(system, "Ann");
  const account = client.account();
  const { id } = await client.documents.seal(text(name), account, { name });
  return { client, account, id, at: `/accounts/${account}/documents/${id}` };
}
const listed = async (account: string) =>
  json<DocumentPage>(await ann.rest("GET", `/accounts/${account}/documents`)).documents.map(({ id }) => id);
const deleted = async (account: string) =>
  json<DeletedPage>(await ann.rest("GET", `/accounts/${account}/deleted-documents`)).documents;

it("is read by nobody until its day, and opens as before when it is restored", async () => {
  const { client, account, id, at } = await sealed("kept.txt");
  await client.documents.remove(id, { account, days: 90 });
  expect(await listed(account)).not.toContain(id);
  expect((await deleted(account)).map((row) => row.id)).toEqual([id]);
  for (const what of ["content", "metadata"])
    expect(problem(await ann.rest("GET", `${at}/${what}`))).toBe("404 not-found");
  await expect(client.documents.open(id, { account })).rejects.toMatchObject({ code: "not-found" });
  const [document] = await client.documents.list([account], { deleted: true });
  expect(document).toMatchObject({ id, account, metadata: { name: "kept.txt" } });
  expect(document!.ends!.getTime()).toBeGreaterThan(Date.now());
  // Asked for again, it ends when it was to end.
  const ends = (await deleted(account))[0]?.ends;
  expect(json(await ann.rest("POST", `${at}/deletion`, { days: 1 }))).toEqual({ ends });

  await client.documents.restore(id, { account });
  await client.documents.restore(id, { account });
  expect(await new Response((await client.documents.open(id, { account })).stream).text()).toBe("kept.txt");
  const there = await client.documents.list([account]);
  expect(there.map(({ id, state }) => ({ id, state }))).toEqual([{ id, state: undefined }]);
  await client.documents.remove(id, { account });
  client.close();
});

it("is gone for good on its day, from the bucket too, and is not restored then", async () => {
  const { client, account, id } = await sealed("gone.txt");
  await client.documents.remove(id, { account, days: 1 });
  await expect.poll(() => deleted(account), { timeout: 60_000, interval: 500 }).toEqual([]);
  await expect(client.documents.restore(id, { account })).rejects.toMatchObject({ code: "not-found" });
  const objects = () => readRows(system.edgeDir, "_mf_objects").filter(({ key }) => String(key).includes(id));
  await expect.poll(objects, { timeout: 120_000, interval: 1000 }).toEqual([]);
  expect(readRows(system.edgeDir, "documents").filter((row) => row.id === id)).toEqual([]);
  // Nobody asked for it then: the row says what was deleted.
  const ended = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, unknown>)
      .filter(({ action, resource }) => action === "datastore:delete" && resource === `document/${id}`);
  await expect.poll(ended, { timeout: 30_000 }).toHaveLength(1);
  expect(ended()[0]).toMatchObject({ outcome: "allow" });
  expect(ended()[0]).not.toHaveProperty("user");
  // It stands as deleted in the index: nobody is told that it is hidden.
  expect(await client.documents.list([account])).toEqual([]);
  client.close();
});

it("is decided by members who may write, of the account and the app, and recorded", async () => {
  const { client, account, id, at } = await sealed("ours.txt");
  expect(problem(await bob.rest("POST", `${at}/deletion`, { days: 1 }))).toBe("403 forbidden");
  const user = bob.tokens.user.id;
  const put = (role: string) => ann.rest("POST", `/accounts/${account}/members`, { user, role });
  expect((await put("reader")).status).toBe(204);
  expect(problem(await bob.rest("POST", `${at}/deletion`, { days: 1 }))).toBe("403 forbidden");
  expect((await put("member")).status).toBe(204);
  expect((await bob.rest("POST", `${at}/deletion`, { days: 30 })).status).toBe(200);
  expect((await put("reader")).status).toBe(204);
  expect(problem(await bob.rest("DELETE", `${at}/deletion`))).toBe("403 forbidden");
  expect((await bob.rest("GET", `/accounts/${account}/deleted-documents`)).status).toBe(200);
  for (const days of [0, 91, 1.5, "7"])
    expect(problem(await ann.rest("POST", `${at}/deletion`, { days }))).toBe("400 bad-request");
  expect((await ann.rest("DELETE", `${at}/deletion`)).status).toBe(204);
  const recorded = () => JSON.stringify(readRows(system.edgeDir, "links").map((link) => Object.values(link)));
  for (const action of ["schedule-deletion", "cancel-deletion", "list-deleted"])
    await expect.poll(recorded, { timeout: 30_000 }).toContain(`datastore:${action}`);
  await client.documents.remove(id, { account });
  client.close();
});

it("of two who restore and delete for good at once one has it so, and nothing is left in between", async () => {
  for (let turn = 0; turn < 5; turn++) {
    const { client, account, id, at } = await sealed(`race ${turn}.txt`);
    await client.documents.remove(id, { account, days: 90 });
    const [kept, gone] = await Promise.all([ann.rest("DELETE", `${at}/deletion`), ann.rest("DELETE", at)]);
    expect(gone.status).toBe(204);
    expect([204, 404]).toContain(kept.status);
    expect(await listed(account)).not.toContain(id);
    expect(await deleted(account)).toEqual([]);
    client.close();
  }
});
