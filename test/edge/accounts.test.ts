/** What belongs to an account is in objects of its own, which a request can name; one that nobody has stays empty. */

import { expect, it } from "vitest";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem();

/** Names of the objects that have a store, as their domain's name and what they are for. */
const sources = () => readRows(system.edgeDir, "store_identity").map(({ source }) => String(source));

it("an account that somebody made up is refused as one of others, and nothing is written for it", async () => {
  const [ann, bob] = [await EdgeClient.signedIn(system, "Ann"), await EdgeClient.signedIn(system, "Bob")];
  expect((await ann.rest("GET", ann.documents)).status).toBe(200);
  const made = Array.from({ length: 5 }, () => crypto.randomUUID());
  const asked = (account: string) =>
    [
      ["GET", ""],
      ["POST", "", { id: crypto.randomUUID() }],
      ["PUT", "/d/parts/1", new Uint8Array(9)],
      ["PUT", "/d/metadata", new Uint8Array(9)],
      ["POST", "/d/complete", { parts: [{ part: 1, etag: "e" }], size: 9 }],
      ["GET", "/d/content"],
      ["GET", "/d/metadata"],
      ["DELETE", "/d"],
    ].map(async ([method, path, body]) => {
      const at = `/accounts/${account}/documents${path as string}`;
      return problem(await bob.rest(method as string, at, body as object | undefined));
    });
  const answers = await Promise.all([...made, ann.account, "x"].flatMap(asked));
  expect(new Set(answers)).toEqual(new Set(["403 forbidden"]));
  const own = sources().filter((source) => source.startsWith("datastore"));
  expect(own).toEqual([`datastore/${ann.account}`]);
  // Of an account that is there the audit log has who was refused.
  await expect.poll(() => denials("datastore", ann.account, bob.tokens.user.id)).toBeGreaterThan(0);
});

it("no data key is made or loaded, and no export ordered, for an account that somebody made up, and nothing is written", async () => {
  const [ann, bob] = [await EdgeClient.signedIn(system, "Ann"), await EdgeClient.signedIn(system, "Bob")];
  const wanted = (account: string) => ({ account, count: 1, purpose: "document" });
  const made = await ann.rest("POST", "/kms/data-keys", wanted(ann.account));
  const edk = json<{ edks: [string] }>(made).edks[0];
  const [header, payload, signature] = edk.split(".") as [string, string, string];
  const invented = crypto.randomUUID();
  const forged = Buffer.from(payload, "base64url").toString().replaceAll(ann.account, invented);
  const renamed = [header, Buffer.from(forged).toString("base64url"), signature].join(".");
  const load = (edk: string) => ({ way: "rewrap", edk, certificate: "AAAA" });
  for (const [path, body, answer] of [
    ["/kms/data-keys", wanted(invented), "403 forbidden"],
    ["/kms/data-keys", wanted(ann.account), "403 forbidden"],
    ["/kms/exports", { account: invented, documents: [invented] }, "403 forbidden"],
    ["/kms/exports", { account: ann.account, documents: [invented] }, "403 forbidden"],
    ["/kms/loads", load(renamed), "400 invalid-edk"],
    ["/kms/loads", load(edk), "403 forbidden"],
  ] as const)
    expect(problem(await bob.rest("POST", path, body)), path).toBe(answer);
  // What is no EDK of ours is refused by the caller's own object. (That there are these accounts is on the tenant's list, and each was made with its key.)
  const own = () =>
    sources().filter((source) => source.startsWith("kms/") && !/\/accounts\.\d+$/.test(source));
  const known = [bob.tokens.user.id, bob.account, ann.account].map((id) => `kms/${id}`);
  await expect.poll(() => own().toSorted()).toEqual(known.toSorted());
  await expect.poll(() => denials("kms", ann.account, bob.tokens.user.id)).toBe(3);
});

/** Rows of the audit log, and on their way there, on what the user was refused in the account's object. */
function denials(domain: string, account: string, user: string): number {
  const source = `${domain}/${account}`;
  const rows = readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry)));
  return rows.filter((row) => row.source === source && row.user === user && row.outcome === "deny").length;
}

it("a custodian that has signed out has its documents no more, though its token is not over", async () => {
  const eve = await EdgeClient.signedIn(system, "Eve");
  const { id } = json<{ id: string }>(await eve.rest("POST", eve.documents, {}));
  expect((await eve.rest("PUT", `${eve.documents}/${id}/parts/1`, new Uint8Array(9))).status).toBe(200);
  const out = await eve.vaultPost("/sign-out", {});
  expect(out.status).toBe(204);
  expect(problem(await eve.rest("GET", eve.documents))).toBe("401 invalid-token");
  expect(problem(await eve.rest("PUT", `${eve.documents}/${id}/metadata`, new Uint8Array(9)))).toBe(
    "401 invalid-token",
  );
  // That was a word of the IAM's too: what it said before does not count for parts either.
  expect(problem(await eve.rest("PUT", `${eve.documents}/${id}/parts/2`, new Uint8Array(9)))).toBe(
    "401 invalid-token",
  );
});

it("W11 tells the state of all accounts of a user by pages, those that are scheduled for deletion too, and of nobody else's", async () => {
  const [cleo, bob] = [await EdgeClient.signedIn(system, "Cleo"), await EdgeClient.signedIn(system, "Bob")];
  type States = { accounts: { id: string; name: string; ends?: number }[]; next?: string };
  const states = async (after = "") => {
    const answer = await cleo.rest("GET", `/account-states${after && `?after=${after}`}`);
    expect(answer.status).toBe(200);
    return json<States>(answer);
  };
  const ids = [cleo.account];
  while (ids.length < 51) {
    const wanted = { name: `Case ${ids.length}`, nonce: crypto.randomUUID() };
    const made = await cleo.rest("POST", "/accounts", wanted);
    expect(made.status).toBe(201);
    ids.push(json<{ id: string }>(made).id);
  }
  ids.sort();
  const [ending = ""] = ids;
  expect((await cleo.rest("POST", `/accounts/${ending}/deletion`, { days: 7 })).status).toBe(200);
  const first = await states();
  expect(first.accounts.map(({ id }) => id)).toEqual(ids.slice(0, 50));
  expect(first.accounts.map(({ ends }) => typeof ends)).toEqual(["number", ...Array(49).fill("undefined")]);
  expect(first.next).toBe(ids[49]);
  const second = await states(first.next);
  expect(second).toEqual({ accounts: [expect.objectContaining({ id: ids[50] })] });
  // Whatever another asks for, it is of their own accounts.
  const others = json<States>(await bob.rest("GET", `/account-states?after=${ids[0]}`));
  expect(others.accounts.filter(({ id }) => ids.includes(id))).toEqual([]);
}, 120_000);
