/** Documents shared between accounts: what the other account opens, what it cannot whatever it is given, and when that ends. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { codeOf } from "#protocol/error.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { AccountEdk } from "#protocol/keys/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, problem as problemOf } from "../support/http.ts";
import { type Instance, instanceOf } from "../support/instance.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { readStored } from "./bucket.ts";
import { bytesOf, connectNode } from "./node-client.ts";

const system = useSystem({ otherTenants: ["umbrella"] });
type Client = Awaited<ReturnType<typeof connectNode>>;
const open: Client[] = [];
afterAll(() => open.forEach((each) => void each.close()));
const text = (words: string) => new TextEncoder().encode(words);
const problem = (answer: Answer) => (answer.status < 300 ? `${answer.status}` : problemOf(answer));
const code = (work: Promise<unknown>) => work.then(() => "done", codeOf);

let ann: Client;
let bob: Client;
let cleo: Client;
/** As a program without the kit sees the edge, with an instance of its own. */
let bare: Instance;
let bareCleo: Instance;
const accountOf = ({ identity }: Client) => identity.accounts[0]?.id ?? "";

beforeAll(async () => {
  const connected = await Promise.all(["Ann", "Bob", "Cleo"].map((name) => connectNode(system, name)));
  open.push(...connected);
  [ann, bob, cleo] = connected as [Client, Client, Client];
  bare = await instanceOf(await EdgeClient.signedIn(system, "Bob"));
  bareCleo = await instanceOf(await EdgeClient.signedIn(system, "Cleo"));
});

const seal = (name: string, words = `${name}, whole`) =>
  ann.documents.seal(text(words), accountOf(ann), { name });
async function shared(name: string, to = bob) {
  const document = await seal(name);
  const share = await ann.sharing.share(document.id, accountOf(to));
  return { document, share };
}
const received = async (by: Client) => by.sharing.received();
const receivedAs = async (by: Client, share: string) =>
  (await received(by)).find((each) => each.share === share);
const load = ({ client, enrolled: { wrappingCertificate: certificate } }: Instance, edk: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });
/** The record, as the other account's list has it. */
async function recordOf(share: string, { client }: Instance = bare): Promise<string> {
  const page = await client.rest("GET", `/accounts/${client.account}/received`);
  const rows = json<{ received: { share: string; record: string }[] }>(page).received;
  return rows.find((row) => row.share === share)?.record ?? "";
}
const saidIn = (record: string) =>
  JSON.parse(new TextDecoder().decode(jwsParts(record).payload)) as AccountEdk;

it("Sharing shows a document to the other account by its name and by whom, and opens it there", async () => {
  const { document, share } = await shared("rent.pdf");
  expect(share).toMatchObject({ document: document.id, to: { account: accountOf(bob), name: "Bob" } });
  const row = await receivedAs(bob, share.share);
  expect(row).toMatchObject({
    ...{ id: document.id, account: accountOf(bob), from: { account: accountOf(ann), name: "Ann" } },
    metadata: { name: "rent.pdf" },
  });
  const opened = await bob.sharing.open(row!);
  expect(new TextDecoder().decode(await bytesOf(opened.stream))).toBe("rent.pdf, whole");
  // By its share alone too, and by one that there is not, nothing.
  const found = await bob.sharing.open({ share: share.share });
  expect(new TextDecoder().decode(await bytesOf(found.stream))).toBe("rent.pdf, whole");
  expect(await code(bob.sharing.open({ share: document.id }))).toBe("share-ended");
  expect(await ann.sharing.shares({ document: document.id })).toMatchObject([
    { share: share.share, to: { name: "Bob" } },
  ]);
  // The body is the one that was sealed, and the owner opens it as before.
  const own = await ann.documents.open(document.id, { account: accountOf(ann) });
  expect(new TextDecoder().decode(await bytesOf(own.stream))).toBe("rent.pdf, whole");
  // The name is a copy of the account's own from now on: nobody reads the owner's again.
  await expect
    .poll(() => readRows(system.edgeDir, "shares_received").find((one) => one.share === share.share)?.copy)
    .toBeInstanceOf(Uint8Array);
  expect(await receivedAs(bob, share.share)).toMatchObject({ metadata: { name: "rent.pdf" } });
});

it("Sharing one document opens no second one, whoever has the whole datastore", async () => {
  const { document, share } = await shared("first.txt");
  const second = await seal("second.txt");
  const { client } = bare;
  for (const what of ["content", "metadata"])
    expect(
      problem(await client.rest("GET", `/accounts/${accountOf(ann)}/documents/${second.id}/${what}`)),
    ).toBe("403 forbidden");
  expect(problem(await client.rest("GET", `/accounts/${accountOf(ann)}/documents`))).toBe("403 forbidden");
  // The second one's key, which its header names.
  const stored = (id: string, what: "content" | "metadata") =>
    new Uint8Array(readStored(system.edgeDir, id, what));
  const { port } = await bob.microservice.use();
  const { edk } = await port.inspect(stored(second.id, "content"));
  expect(problem(await load(bare, edk))).toBe("403 forbidden");
  // The record's key, in a real microservice that has it, for whatever lies in the datastore.
  const record = await recordOf(share.share);
  await bob.keys.ensure(record);
  const of = (id: string, purpose: string) => ({
    ...{ tenant: bob.identity.tenant, account: accountOf(ann), document: id, purpose },
  });
  const opened = (context: Record<string, string>, bytes: Uint8Array<ArrayBuffer>) =>
    code(bytesOf(port.open({ context, key: record }, bytes)));
  expect(await opened(of(document.id, "document"), stored(document.id, "content"))).toBe("done");
  expect(await opened(of(second.id, "document"), stored(second.id, "content"))).toBe("decrypt-failed");
  expect(await opened(of(document.id, "document"), stored(second.id, "content"))).toBe("decrypt-failed");
  expect(await opened(of(second.id, "metadata"), stored(second.id, "metadata"))).toBe("decrypt-failed");
  // Nor does it seal, or open another message that is put together under it.
  const sealing = port.seal({ edk: record, context: of(document.id, "document") }, text("mine"));
  expect(await code(bytesOf(sealing))).toBe("forbidden");
});

it("Sharing that is withdrawn gives neither document nor key from that moment on", async () => {
  const { document, share } = await shared("withdrawn.txt");
  const record = await recordOf(share.share);
  const row = (await receivedAs(bob, share.share))!;
  const loaded = await load(bare, record);
  expect(problem(loaded)).toBe("200");
  // What is loaded by then ends within the hour.
  const { iat, exp } = JSON.parse(
    new TextDecoder().decode(jwsParts(json<{ receipt: string }>(loaded).receipt).payload),
  ) as { iat: number; exp: number };
  expect(exp - iat).toBeLessThanOrEqual(3600);
  await ann.sharing.withdraw({ share: share.share, document: document.id });
  expect(problem(await load(bare, record))).toBe("403 share-ended");
  expect(await code(bob.sharing.open(row))).toBe("share-ended");
  expect(await receivedAs(bob, share.share)).toBeUndefined();
  expect(await ann.sharing.shares({ document: document.id })).toEqual([]);
  // The record, put again by whom it was for, is of no use; asked for again, nothing changes.
  const path = `/accounts/${accountOf(ann)}/documents/${document.id}/shares/${share.share}`;
  const put = { to: accountOf(bob), record, expires: Math.floor(share.expires.getTime() / 1000) };
  expect(problem(await bare.client.rest("PUT", path, put))).toBe("403 forbidden");
  await ann.sharing.withdraw({ share: share.share, document: document.id });
});

it("Sharing is refused at the datastore by the word of the owner's object alone, though the list lags behind", async () => {
  const { share } = await shared("lagging.txt");
  changeRows(system.edgeDir, "shares_given", `DELETE FROM shares_given WHERE share = '${share.share}'`);
  const path = `/accounts/${accountOf(bob)}/received/${share.share}`;
  for (const what of ["content", "metadata"])
    expect(problem(await bare.client.rest("GET", `${path}/${what}`))).toBe("403 share-ended");
  // Nor is it anybody's but the account's that it is for.
  const foreign = `/accounts/${accountOf(cleo)}/received/${share.share}/content`;
  expect(problem(await bareCleo.client.rest("GET", foreign))).toBe("404 not-found");
  expect(problem(await bareCleo.client.rest("GET", `${path}/content`))).toBe("403 forbidden");
});

it("Sharing takes no record that is altered, of another account, or past its end", async () => {
  const { share } = await shared("records.txt");
  const record = await recordOf(share.share);
  const { header, payload, signature } = parts(record);
  const other = (change: object) =>
    `${header}.${Buffer.from(JSON.stringify({ ...saidIn(record), ...change })).toString("base64url")}.${signature}`;
  const said = saidIn(record);
  expect(`${header}.${payload}.${signature}`).toBe(record);
  for (const altered of [
    other({ record: { ...said.record, document: crypto.randomUUID() } }),
    other({ record: { ...said.record, headerDigest: "A".repeat(43) } }),
    other({ record: undefined }),
    other({ account: accountOf(cleo) }),
    other({ expires: (said.expires ?? 0) + 60 }),
  ])
    expect(problem(await load(bare, altered))).toBe("400 invalid-edk");
  // Of Bob's: Cleo is no member of his account, nor Ann.
  expect(problem(await load(bareCleo, record))).toBe("403 forbidden");
  const owner = await instanceOf(await EdgeClient.signedIn(system, "Ann"));
  expect(problem(await load(owner, record))).toBe("403 forbidden");
  expect(problem(await load(bare, record))).toBe("200");
  changeRows(system.edgeDir, "shares", `UPDATE shares SET expires = 1 WHERE id = '${share.share}'`);
  expect(problem(await load(bare, record))).toBe("403 share-ended");
});

it("Sharing of a document under another one's record is refused by the microservice", async () => {
  const { document, share } = await shared("honest.txt");
  const { port } = await bob.microservice.use();
  const record = await recordOf(share.share);
  await bob.keys.ensure(record);
  // Sealed again under the document's own key by a member of the owner's account: the record is of another message.
  const { edk } = await port.inspect(new Uint8Array(readStored(system.edgeDir, document.id, "content")));
  const own = await ann.microservice.use();
  await ann.keys.ensure(edk);
  const context = {
    ...{ tenant: bob.identity.tenant, account: accountOf(ann), document: document.id, purpose: "document" },
  };
  const swapped = await bytesOf(own.port.seal({ edk, context }, text("something else")));
  expect(await code(bytesOf(port.open({ context, key: record }, swapped)))).toBe("document-changed");
  // Under the id of another document, content and metadata alike.
  const another = crypto.randomUUID();
  for (const purpose of ["document", "metadata"]) {
    const of = { ...context, document: another, purpose };
    const sealed = await bytesOf(own.port.seal({ edk, context: of }, text("something else")));
    expect(await code(bytesOf(port.open({ context: of, key: record }, sealed)))).toBe("decrypt-failed");
  }
});

it("Sharing ends with the document, its key, and the account on either side", async () => {
  const gone = await shared("gone.txt");
  const goneRecord = await recordOf(gone.share.share);
  await ann.documents.remove(gone.document.id, { account: accountOf(ann) });
  expect(problem(await load(bare, goneRecord))).toBe("403 share-ended");
  expect(await receivedAs(bob, gone.share.share)).toBeUndefined();

  // A key that is disabled goes to nobody, and comes back with its state.
  const kept = await shared("kept.txt");
  const record = await recordOf(kept.share.share);
  const edk = await ann.documents.keyOf(kept.document.id, { account: accountOf(ann) });
  const { keyId, keyVersion } = saidIn(edk);
  const setState = (state: string) =>
    changeRows(
      system.edgeDir,
      "data_keys",
      `UPDATE data_keys SET state = '${state}' WHERE id = '${keyId}' AND version = ${keyVersion}`,
    );
  expect(setState("disabled")).toBe(1);
  expect(problem(await load(bare, record))).toBe("403 forbidden");
  setState("enabled");
  expect(problem(await load(bare, record))).toBe("200");

  // The owner's account is deleted.
  const owner = await EdgeClient.signedIn(system, "Dora");
  const dora = await connectNode(system, "Dora");
  open.push(dora);
  const document = await dora.documents.seal(text("Dora's"), accountOf(dora), { name: "dora.txt" });
  const share = await dora.sharing.share(document.id, accountOf(bob));
  const doras = await recordOf(share.share);
  expect(problem(await load(bare, doras))).toBe("200");
  const path = `/accounts/${accountOf(bob)}/received/${share.share}/content`;
  expect(problem(await bare.client.rest("GET", path))).toBe("200");
  const deleted = await owner.rest("POST", `/accounts/${owner.account}/deletion`, { immediately: true });
  expect(deleted.status, deleted.text).toBe(200);
  await expect.poll(async () => problem(await load(bare, doras))).toBe("403 share-ended");
  await expect
    .poll(async () => problem(await bare.client.rest("GET", path)))
    .toMatch(/share-ended|not-found/);
  await expect.poll(async () => recordOf(share.share)).toBe("");
});

it("Sharing stops while the owner's account is scheduled for deletion, at KMS and datastore, and goes on when it is kept", async () => {
  const owner = await EdgeClient.signedIn(system, "Emil");
  const emil = await connectNode(system, "Emil");
  open.push(emil);
  const document = await emil.documents.seal(text("Emil's"), accountOf(emil), { name: "emil.txt" });
  const { share } = await emil.sharing.share(document.id, accountOf(bob));
  const record = await recordOf(share);
  const path = `/accounts/${accountOf(bob)}/received/${share}`;
  const tried = async () => [
    problem(await load(bare, record)),
    problem(await bare.client.rest("GET", `${path}/content`)),
    problem(await bare.client.rest("GET", `${path}/metadata`)),
  ];
  expect(await tried()).toEqual(["200", "200", "200"]);
  const deletion = `/accounts/${owner.account}/deletion`;
  expect((await owner.rest("POST", deletion, { days: 7 })).status).toBe(200);
  expect(await tried()).toEqual(Array.from({ length: 3 }, () => "403 share-ended"));
  expect((await owner.rest("DELETE", deletion)).status).toBe(204);
  expect(await tried()).toEqual(["200", "200", "200"]);
});

it("Sharing takes a record by itself alone: no load of several, no grant and no operation in the HSM has it", async () => {
  const { share } = await shared("by-itself.txt");
  const record = await recordOf(share.share);
  const { client, enrolled } = bare;
  const { wrappingCertificate: certificate } = enrolled;
  for (const [way, body] of [
    ["/kms/loads", { way: "several", edks: [record], certificate }],
    ["/kms/grants", { edks: [record], certificate }],
    ["/caas/operations/mac", { key: record, data: "AAAA" }],
  ] as const)
    expect(problem(await client.rest("POST", way, body)), way).toBe("422 key-unusable");
  expect(problem(await load(bare, record))).toBe("200");
});

it("Sharing asks nothing of the other account before it is known that the caller may share the document", async () => {
  const document = await seal("not-hers.txt");
  const edk = await ann.documents.keyOf(document.id, { account: accountOf(ann) });
  const [by, stranger] = await Promise.all(["Ann", "Flora"].map((name) => EdgeClient.signedIn(system, name)));
  const to = stranger!.account;
  /** Rows in the log of what it was asked, by request. */
  const asked = () => {
    const rows = new Map<string, number>();
    for (const { entry } of readRows(system.edgeDir, "links")) {
      const row = JSON.parse(String(entry)) as { action: string; resource: string; requestId: string };
      if (row.action === "iam:receive-share" && row.resource === `account/${to}`)
        rows.set(row.requestId, (rows.get(row.requestId) ?? 0) + 1);
    }
    return [...rows.values()];
  };
  const order = (client: EdgeClient, change: object = {}) =>
    client.rest("POST", `/kms/accounts/${accountOf(ann)}/shares`, {
      ...{ document: document.id, to, edk },
      ...change,
    });
  expect(problem(await order(bare.client))).toBe("403 forbidden");
  expect(problem(await order(by!, { document: crypto.randomUUID() }))).toBe("404 not-found");
  expect(problem(await order(by!, { expires: 1 }))).toBe("409 conflict");
  const made = await order(by!);
  expect(problem(made)).toBe("201");
  // It is asked before the HSM works and after; rows of the orders before it would be there first.
  await expect.poll(() => Math.max(0, ...asked()), { timeout: 20_000 }).toBeGreaterThan(1);
  expect(asked()).toHaveLength(1);
  // What the HSM does for it is told, as of every order (`Server-Timing`).
  expect(made.headers["server-timing"]).toMatch(/kms-hsm;dur=\d+;desc="[^"]*Sign/);
});

it("Sharing at the datastore has a pace of each user's, and taking back one of its own", async () => {
  const hasty = await EdgeClient.signedIn(system, "Gert");
  const path = `/accounts/${hasty.account}/documents/${crypto.randomUUID()}/shares/${crypto.randomUUID()}`;
  const record = await recordOf((await shared("paced.txt")).share.share);
  const put = { to: accountOf(bob), record, expires: Math.floor(Date.now() / 1000) + 3600 };
  const answers: string[] = [];
  for (let turn = 0; turn < 260 && answers.at(-1) !== "429 too-many-requests"; turn++)
    answers.push(problem(await hasty.rest("PUT", path, put)));
  // A request takes its turn whatever becomes of it.
  expect(answers.length).toBeGreaterThan(100);
  expect(answers[0]).toBe("404 not-found");
  expect(answers.at(-1)).toBe("429 too-many-requests");
  expect(problem(await hasty.rest("DELETE", path))).toBe("204");
  const ends: string[] = [];
  for (let turn = 0; turn < 260 && ends.at(-1) !== "429 too-many-requests"; turn++)
    ends.push(problem(await hasty.rest("DELETE", path)));
  expect(ends.at(-1)).toBe("429 too-many-requests");
  // Of others nobody's turn is taken.
  await shared("unpaced.txt");
});

it("Sharing is for members who may write, of documents that are there, with accounts that are there", async () => {
  const document = await seal("whose.txt");
  const own = accountOf(ann);
  const sharing = ann.sharing;
  expect(await code(sharing.share(document.id, own))).toBe("conflict");
  expect(await code(sharing.share(document.id, `a${"2".repeat(31)}`))).toBe("not-found");
  expect(await code(sharing.share(document.id, accountOf(bob), { expires: new Date(0) }))).toBe("conflict");
  const late = new Date(Date.now() + 400 * 24 * 3600_000);
  expect(await code(sharing.share(document.id, accountOf(bob), { expires: late }))).toBe("conflict");
  const umbrella = await EdgeClient.signedIn(system.tenant("umbrella"), "Bob");
  expect(await code(sharing.share(document.id, umbrella.account))).toBe("not-found");

  const edk = await ann.documents.keyOf(document.id, { account: own });
  const by = await EdgeClient.signedIn(system, "Ann");
  const order = (client: EdgeClient, change: object = {}, account = own) =>
    client.rest("POST", `/kms/accounts/${account}/shares`, {
      ...{ document: document.id, to: accountOf(bob), edk },
      ...change,
    });
  expect(problem(await order(bare.client))).toBe("403 forbidden");
  expect(problem(await order(bare.client, {}, bare.client.account))).toBe("409 conflict");
  expect(problem(await order(by, { document: crypto.randomUUID() }))).toBe("404 not-found");
  expect(problem(await order(by, { edk: "no EDK" }))).toBe("400 invalid-edk");
  // The key of names in the list, and that of another document, which was shared already.
  const metadataKey = await by.rest("POST", `/kms/accounts/${own}/metadata-key`, {});
  expect(problem(await order(by, { edk: json<{ edk: string }>(metadataKey).edk }))).toBe("400 invalid-edk");
  const { document: another } = await shared("another.txt");
  const used = await ann.documents.keyOf(another.id, { account: own });
  expect(problem(await order(by, { edk: used }))).toBe("422 key-unusable");
  // What was shared is not shared on.
  const { share } = await shared("onward.txt");
  const record = await recordOf(share.share);
  const onward = { document: document.id, to: accountOf(cleo), edk: record };
  const path = `/kms/accounts/${accountOf(bob)}/shares`;
  expect(problem(await bare.client.rest("POST", path, onward))).toMatch(/^(409|422|403) /);

  const members = `/accounts/${own}/members`;
  const user = bare.client.tokens.user.id;
  expect((await by.rest("POST", members, { user, role: "reader" })).status).toBe(204);
  expect(problem(await order(bare.client))).toBe("403 forbidden");
  expect(problem(await bare.client.rest("DELETE", `/kms/accounts/${own}/shares/${share.share}`))).toBe(
    "403 forbidden",
  );
  expect((await by.rest("DELETE", `${members}/${user}`)).status).toBe(204);
});

it("Sharing again takes the place of what was, and the other account takes it off its own list", async () => {
  const { document, share } = await shared("twice.txt", cleo);
  const first = await recordOf(share.share, bareCleo);
  const again = await ann.sharing.share(document.id, accountOf(cleo));
  expect(again.share).not.toBe(share.share);
  expect(problem(await load(bareCleo, first))).toBe("403 share-ended");
  expect(problem(await load(bareCleo, await recordOf(again.share, bareCleo)))).toBe("200");
  const rows = (await received(cleo)).filter(({ id }) => id === document.id);
  expect(rows).toHaveLength(1);
  await cleo.sharing.decline(rows[0]!);
  expect(await receivedAs(cleo, again.share)).toBeUndefined();
});

it("Sharing with two accounts of one person lists what each was given, and takes it off by its share alone", async () => {
  const hana = await connectNode(system, "Hana");
  open.push(hana);
  const first = accountOf(hana);
  const { id: second } = await hana.life.create("Second");
  const document = await seal("both.txt");
  const shares = await Promise.all([first, second].map((to) => ann.sharing.share(document.id, to)));
  const listed = async (account?: string) =>
    (await hana.sharing.received(account === undefined ? {} : { account })).map(({ share, account: by }) => [
      share,
      by,
    ]);
  const [one, other] = shares.map(({ share }) => share);
  expect(await listed()).toEqual([
    [one, first],
    [other, second],
  ]);
  expect(await listed(second)).toEqual([[other, second]]);
  expect(await code(listed(accountOf(ann)))).toBe("no-account");
  await hana.sharing.decline({ share: other! });
  expect(await listed()).toEqual([[one, first]]);
  expect(await code(hana.sharing.decline({ share: other! }))).toBe("share-ended");
});

it("Sharing leaves an audit row at each decision, with who asked", async () => {
  const { document, share } = await shared("audited.txt");
  await bob.sharing.open((await receivedAs(bob, share.share))!);
  await ann.sharing.withdraw({ share: share.share, document: document.id });
  const actions = () => {
    const rows = readRows(system.edgeDir, "links").map(({ entry }) => String(entry));
    const of = (action: string, user: Client) =>
      rows.some(
        (row) => row.includes(`"action":"${action}"`) && row.includes(`"user":"${user.identity.user.id}"`),
      );
    return [
      ...["kms:share", "kms:release-share", "kms:withdraw-share"].map((action) => of(action, ann)),
      ...["datastore:share", "datastore:unshare"].map((action) => of(action, ann)),
      ...["datastore:read-received", "datastore:lend", "kms:release"].map((action) => of(action, bob)),
    ];
  };
  await expect.poll(actions, { timeout: 20_000 }).toEqual(Array.from({ length: 8 }, () => true));
});

function parts(token: string) {
  const [header = "", payload = "", signature = ""] = token.split(".");
  return { header, payload, signature };
}
