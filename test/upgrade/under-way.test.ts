/**
 * What was live when the folder of 783953a was stopped: the code of today meets it, in both tenants. None of it blocks
 * anything, nothing that it was good for is an error of the server, and the account keeps its keys.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Client } from "#cli/client.ts";
import { EARLIER } from "#protocol/audit/index.ts";
import { connectNode } from "../documents/node-client.ts";
import { auditThat } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { problem, send } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys, redemption } from "../support/instance.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";
import { ONE_OBJECT, unpackFolder } from "./folder.ts";

const { chains, live, sealed } = ONE_OBJECT;
const DAYS = 2 * 24 * 3600 * 1000;

const system = useSystem({
  otherTenants: ["umbrella"],
  // Room for one more than is complete: the upload that was under way must not take it for ever.
  vars: {
    COFFER_DOCUMENTS_PER_ACCOUNT: String(Object.keys(sealed.development.alice!).length + 1),
    COFFER_AUDIT_SECONDS: "1",
  },
  prepare(dir) {
    unpackFolder("783953a", dir);
    const idle = `UPDATE documents SET touched = touched - ${DAYS} WHERE state = 'pending'`;
    expect(changeRows(join(dir, "edge"), "documents", idle)).toBe(1);
    bringAgain(join(dir, "edge"));
  },
});

const clients: Client[] = [];
afterAll(() => {
  for (const client of clients) client.close();
});

async function connectTo(tenant: "development" | "umbrella", user: string): Promise<Client> {
  const origins = tenant === "development" ? system : system.tenant(tenant);
  const { appOrigin, vaultOrigin } = origins;
  const client = await connectNode({ appOrigin, vaultOrigin, running: system.running }, user);
  clients.push(client);
  return client;
}

/** Each document that is listed, by its name: SHA-256. */
async function contents({ documents, identity }: Client): Promise<Record<string, string>> {
  const listed = await documents.list(identity.accounts.map(({ id }) => id));
  const entries = listed.map(async ({ id, metadata }) => {
    const bytes = await new Response((await documents.open(id)).stream).arrayBuffer();
    return [metadata?.name, createHash("sha256").update(new Uint8Array(bytes)).digest("hex")] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe("documents of before", () => {
  it.each(["development", "umbrella"] as const)("open at %s, and at no other tenant", async (tenant) => {
    const client = await connectTo(tenant, "alice");
    expect(await contents(client)).toEqual(sealed[tenant].alice);
  });

  it("are in the same account, whose data keys are released to an instance of today", async () => {
    const client = await EdgeClient.signedIn(system, live.user);
    expect(client.tokens.accounts.map(({ id }) => id)).toEqual([live.account]);
    const { wrappingCertificate } = JSON.parse(
      (await enrol(client, await makeKeys())).text,
    ) as EnrolmentAnswer;
    const body = { way: "rewrap", edk: live.edk, certificate: wrappingCertificate };
    expect((await client.rest("POST", "/kms/loads", body)).status).toBe(200);
  });
});

describe("what was live", () => {
  let client: EdgeClient;
  beforeAll(async () => {
    client = new EdgeClient(system);
    const { kty, crv, x, y } = live.key;
    const privateKey = await crypto.subtle.importKey(
      "jwk",
      live.key,
      { name: "ECDSA", namedCurve: "P-256" },
      false,
      ["sign"],
    );
    client.key = { privateKey, jwk: { kty, crv, x, y } };
    client.cookie = client.vaultCookie(live.cookie);
  });

  it("a sign-in goes on or has ended", async () => {
    const session = await send(`${system.vaultOrigin}/session`, { headers: { cookie: client.cookie } });
    if (session.status !== 200) expect(problem(session)).toBe("401 no-session");
    const refreshed = await client.refresh(live.refreshToken);
    if (refreshed.status !== 200) expect(problem(refreshed)).toBe("400 invalid-grant");
  });

  it("a grant is good for nothing", async () => {
    const body = await redemption(live.grant, live.enrolment.nonce, await makeKeys());
    const answer = await client.vaultPost(`/ra/enrolments/${live.enrolment.id}`, body);
    expect(["400 invalid-grant", "401 no-session"]).toContain(problem(answer));
  });

  it("an instance gets no key by another sign-in", async () => {
    const today = await EdgeClient.signedIn(system, live.user);
    const { edk, instance } = live;
    const answer = await today.rest("POST", "/kms/loads", {
      way: "rewrap",
      edk,
      certificate: instance.wrappingCertificate,
    });
    expect(["403 foreign-custodian", "403 not-recipient"]).toContain(problem(answer));
  });

  it("an upload is not listed, and gives its room back", async () => {
    const { documents, identity } = await connectTo("development", live.user);
    const account = identity.accounts[0]!.id;
    expect((await documents.list([account])).map(({ id }) => id)).not.toContain(live.upload);
    const seal = () =>
      documents.seal(new TextEncoder().encode("written later"), account, { name: "later.txt" });
    // The object sweeps when it wakes.
    const { id } = await untilThereIsRoom(seal);
    expect(await new Response((await documents.open(id)).stream).text()).toBe("written later");
  });
});

async function untilThereIsRoom<T>(seal: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await seal();
    } catch (error) {
      if ((error as { code?: string }).code !== "quota-exceeded") throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

describe("the audit chain", () => {
  it.each(["development", "umbrella"] as const)(
    "of %s goes on in the log, with nothing twice",
    async (tenant) => {
      const { links, head, signed } = chains[tenant];
      const { text, entries, verified } = await auditThat(system, tenant, (all) => all.length > links);
      const earlier = text.split("\n").filter((line) => line.includes(`"hash":"${head}"`));
      expect(earlier.map((line) => JSON.parse(line).sequence)).toEqual([links]);
      expect(text).toContain(`{"kind":"head","jws":"${signed}"}`);
      expect(verified.chains.get(EARLIER)!.sequence).toBeGreaterThanOrEqual(links);
      expect(verified.chains.size).toBeGreaterThan(1);
      expect(entries.filter(({ action }) => action === "test:again")).toEqual([]);
    },
  );
});

/** A row that the chain has already is still in each outbox: its answer was lost. */
function bringAgain(edge: string): void {
  const taken = readRows(edge, "sources") as { source: string; epoch: string; outbox: number }[];
  let brought = 0;
  for (const { epoch, outbox } of taken) {
    const row = `'{"action":"test:again","resource":"r","outcome":"allow","requestId":"q"}'`;
    brought += changeRows(
      edge,
      "audit_outbox",
      `INSERT INTO audit_outbox SELECT ${outbox}, '2026-01-01T00:00:00.000Z', ${row}
       FROM store_identity WHERE epoch = '${epoch}'`,
    );
  }
  expect(brought).toBeGreaterThan(1);
}
