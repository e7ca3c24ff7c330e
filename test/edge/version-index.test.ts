/** The version index of documents at the KMS: rows by compare and swap, a signed head over all of them, and who reaches it. */

import { beforeAll, expect, it } from "vitest";
import { seconds } from "#protocol/clock.ts";
import type { VersionPage, VersionsPut } from "#protocol/contract/index.ts";
import { type TrustList, verifyIndexReceipt, verifyMasterReceipt } from "#protocol/keys/index.ts";
import type { VersionRow } from "#protocol/version-index.ts";
import { createDocumentId } from "#web/client/belonging.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { instanceOf, trustOf } from "../support/instance.ts";
import { rootOfRows } from "../support/version-index.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherTenants: ["umbrella"] });
let ann: EdgeClient;
let bob: EdgeClient;
let trust: TrustList;
let tenant: string;
const now = () => seconds(Date.now());

beforeAll(async () => {
  [ann, bob] = (await Promise.all(["Ann", "Bob"].map((name) => EdgeClient.signedIn(system, name)))) as [
    EdgeClient,
    EdgeClient,
  ];
  tenant = ann.tokens.custodian.dn.split(",O=")[1] ?? "";
  trust = await trustOf(await instanceOf(ann));
});

const pathOf = (account: string) => `/kms/accounts/${account}/document-versions`;
const put = async (rows: VersionRow[], by = ann, account = ann.account) =>
  by.rest("POST", pathOf(account), { rows });
const entered = async (rows: VersionRow[]) => json<VersionsPut>(await put(rows));
const page = async (after = 0, by = ann, account = ann.account) =>
  by.rest("GET", `${pathOf(account)}?after=${after}`);

/** Page by page, and the sequence at which it ends. */
async function read(after = 0) {
  const pages: VersionPage[] = [];
  let from = after;
  for (;;) {
    const found = json<VersionPage>(await page(from));
    pages.push(found);
    from = found.sequence;
    if (found.head !== undefined)
      return { ...found, rows: pages.flatMap(({ rows }) => rows), pages: pages.length };
  }
}

async function headOf(head: string | undefined, account = ann.account) {
  return verifyIndexReceipt(head ?? "", trust, { tenant, account, app: ann.app }, now());
}

const digestOf = (letter: string) => `${letter.repeat(42)}A`;
const row = (document: string, version = 1, letter = "a"): VersionRow => ({
  ...{ document, version, messageId: digestOf(letter) },
  ...{ headerDigest: digestOf(letter), metadataDigest: digestOf(letter) },
});

it("has a head that the HSM has signed, over all rows in whatever pages, and one row for one change", async () => {
  const ids = Array.from({ length: 2300 }, createDocumentId);
  for (let from = 0; from < ids.length; from += 100)
    expect((await entered(ids.slice(from, from + 100).map((id) => row(id)))).conflicts).toEqual([]);
  const whole = await read();
  expect(whole.pages).toBe(3);
  const { sequence, root, founded } = await headOf(whole.head);
  expect({ sequence, root, founded }).toEqual({
    ...{ sequence: ids.length, founded: false },
    root: await rootOfRows(whole.rows),
  });
  // Nothing has changed: the same head, and no row.
  expect(await read(whole.sequence)).toMatchObject({ rows: [], head: whole.head });

  await entered([row(ids[0]!, 2, "b"), { document: ids[1]!, version: 1, deleted: true }]);
  const changed = await read(whole.sequence);
  expect(changed.rows).toEqual([row(ids[0]!, 2, "b"), { document: ids[1], version: 2, deleted: true }]);
  expect(changed.pages).toBe(1);
  const last = new Map([...whole.rows, ...changed.rows].map((each) => [each.document, each]));
  expect((await headOf(changed.head)).root).toBe(await rootOfRows([...last.values()]));
});

it("has one head signed for all who read after a change", async () => {
  await entered([row(createDocumentId())]);
  const { sequence } = await read();
  await entered([row(createDocumentId())]);
  const heads = await Promise.all(Array.from({ length: 8 }, () => page(sequence)));
  // A signature of ECDSA is another one each time.
  expect(new Set(heads.map((answer) => json<VersionPage>(answer).head)).size).toBe(1);
  expect((await headOf(json<VersionPage>(heads[0]!).head)).client).toBe("page");
});

it("takes one of those who change a document at once, and tells the others what stands", async () => {
  const id = createDocumentId();
  await entered([row(id)]);
  const letters = ["c", "d", "e", "f", "g", "h"];
  const answers = await Promise.all(letters.map((letter) => entered([row(id, 2, letter)])));
  const refused = answers.filter(({ conflicts }) => conflicts.length > 0);
  expect(refused).toHaveLength(letters.length - 1);
  const [standing] = new Set(refused.map(({ conflicts }) => JSON.stringify(conflicts[0]?.standing)));
  expect(new Set(refused.map(({ conflicts }) => JSON.stringify(conflicts))).size).toBe(1);
  expect(JSON.parse(standing!)).toMatchObject({ document: id, version: 2 });
  // Changes of documents that are others do not meet.
  const others = Array.from({ length: 10 }, createDocumentId);
  const beside = await Promise.all(others.map((other) => entered([row(other)])));
  expect(beside.every(({ conflicts }) => conflicts.length === 0)).toBe(true);
});

it("signs a head that passes for no other account, app, tenant or receipt, and that ends", async () => {
  const { head = "" } = await read();
  const of = { tenant, account: ann.account, app: ann.app };
  for (const other of [{ tenant: "umbrella" }, { account: bob.account }, { app: bob.vault }])
    await expect(verifyIndexReceipt(head, trust, { ...of, ...other }, now())).rejects.toMatchObject({
      code: "jws-payload",
    });
  const { exp } = await headOf(head);
  await expect(verifyIndexReceipt(head, trust, of, exp)).rejects.toMatchObject({ code: "jws-expired" });
  const awaited = {
    wrappedKey: new Uint8Array(384),
    recipient: "",
    tenant: "acme",
    challenge: "",
    now: now(),
  };
  await expect(verifyMasterReceipt(head, trust, awaited)).rejects.toMatchObject({ code: "jws-payload" });
});

it("is refused to who is no member, to another tenant, and to a member who has left; a reader reads and changes nothing", async () => {
  const id = createDocumentId();
  expect(problem(await page(0, bob))).toBe("403 forbidden");
  expect(problem(await put([row(id)], bob))).toBe("403 forbidden");
  const foreign = await EdgeClient.signedIn(system.tenant("umbrella"), "Ann");
  expect(problem(await page(0, foreign))).toBe("403 forbidden");
  expect(problem(await put([row(id)], foreign))).toBe("403 forbidden");

  const members = `/accounts/${ann.account}/members`;
  const user = bob.tokens.user.id;
  expect((await ann.rest("POST", members, { user, role: "reader" })).status).toBe(204);
  expect((await page(0, bob)).status).toBe(200);
  expect(problem(await put([row(id)], bob))).toBe("403 forbidden");
  expect((await ann.rest("POST", members, { user, role: "member" })).status).toBe(204);
  expect((await put([row(id)], bob)).status).toBe(200);
  expect((await ann.rest("DELETE", `${members}/${user}`)).status).toBe(204);
  expect(problem(await put([row(createDocumentId())], bob))).toBe("403 forbidden");
  expect(problem(await page(0, bob))).toBe("403 forbidden");
});

it("takes rows of a bounded number and of the form that is published", async () => {
  const id = createDocumentId();
  const refused = [
    Array.from({ length: 101 }, () => row(createDocumentId())),
    [row("not-a-document")],
    [row(id.toUpperCase())],
    [{ ...row(id), headerDigest: "short" }],
    [{ ...row(id), version: 1.5 }],
    [{ ...row(id), more: 1 } as VersionRow],
  ];
  for (const rows of refused) expect(problem(await put(rows))).toBe("400 bad-request");
  for (const after of ["-1", "1.5", "1e3", "9".repeat(17)])
    expect(problem(await ann.rest("GET", `${pathOf(ann.account)}?after=${after}`))).toBe("400 bad-request");
  // A cursor that nothing has come to yet is no mistake: what it is compared with is in the head.
  expect(await read(1_000_000)).toMatchObject({ rows: [], head: expect.any(String) });
});

it("W11 has nothing left of an account that is deleted", async () => {
  const made = await ann.rest("POST", "/accounts", { name: "Short-lived", nonce: crypto.randomUUID() });
  const { id: account } = json<{ id: string }>(made);
  expect((await put([row(createDocumentId())], ann, account)).status).toBe(200);
  const rows = () => readRows(system.edgeDir, "document_versions").length;
  const before = rows();
  const deletion = { immediately: true };
  const end = await ann.rest("POST", `/accounts/${account}/deletion`, deletion);
  expect(end.status, end.text).toBe(200);
  await expect.poll(rows).toBe(before - 1);
  expect(problem(await page(0, ann, account))).toMatch(/^40[34] /);
  expect(problem(await put([row(createDocumentId())], ann, account))).toMatch(/^40[34] /);
});
