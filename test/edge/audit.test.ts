import { createHash } from "node:crypto";
import { describe, expect, it, vi } from "vitest";
import { openHsm } from "#edge/hsm/index.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { IDENTITY, ROOT_CA, SIGN_TYPE, TRUST_LIST } from "#protocol/hierarchy/index.ts";
import { findKey, type TrustList, verifyJws, verifyTrustList } from "#protocol/keys/index.ts";
import { auditThat } from "../support/audit.ts";
import { callDoor, withDoors } from "../support/doors.ts";
import { EdgeClient, newVerifier } from "../support/edge-client.ts";
import { json, send } from "../support/http.ts";
import { useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const TENANT = "development";
const system = useSystem({ vars: { COFFER_AUDIT_SECONDS: "1" } });

describe("audit", () => {
  it("M20 chains every decision, allowed or not, without names or secrets", async () => {
    const browser = await EdgeClient.signedIn(system, "Nadia Unspeakable");
    const { account, tokens } = browser;
    const keys = await browser.rest("POST", "/kms/data-keys", {
      account,
      count: 1,
      purpose: "document",
    });
    expect(keys.status).toBe(201);
    const refused = await browser.exchange(`${tokens.user.id}.${"x".repeat(43)}`, newVerifier());
    expect(refused.status).toBe(400);
    const { entries, text: exported } = await auditThat(
      system,
      TENANT,
      (all) =>
        all.some(({ code }) => code === "invalid-grant") &&
        all.some(({ action }) => action === "kms:data-keys") &&
        all.some(({ action }) => action === "kms:account-key"),
    );
    const seen = entries.map(({ action, outcome }) => `${action} ${outcome}`);
    expect(seen).toEqual(
      expect.arrayContaining([
        "iam:sign-in allow",
        "iam:authorize allow",
        "iam:token allow",
        "iam:certify-custodian allow",
        "iam:account allow",
        "kms:account-key allow",
        "kms:data-keys allow",
        "iam:token deny",
      ]),
    );
    const { requestId } = { requestId: refused.headers["request-id"] };
    expect(entries).toContainEqual(
      expect.objectContaining({ requestId, outcome: "deny", reason: "unknown or used code" }),
    );
    const text = exported + system.log();
    for (const secret of [
      "Unspeakable",
      tokens.access_token,
      tokens.refresh_token,
      browser.cookie.split("=")[1]!,
    ]) {
      expect(text.includes(secret)).toBe(false);
    }
  });

  it("M20 has one row for an order to export, whatever it names, and few for made-up codes and tokens", async () => {
    const browser = await EdgeClient.signedIn(system, "Olga");
    const { account } = browser;
    const documents = Array.from({ length: 500 }, () => crypto.randomUUID());
    const order = await browser.rest("POST", "/kms/exports", { account, documents });
    expect(order.status).toBe(201);
    const made = () => `${browser.tokens.user.id}.${newVerifier()}`;
    // A minute of the clock has 20 rows: so many tries in one, whenever it began.
    const TRIES = 25;
    const minute = (time: number) => Math.floor(time / 60_000);
    const tries = new Map<number, number>();
    while (![...tries.values()].includes(TRIES)) {
      expect((await browser.exchange(made(), newVerifier())).status).toBe(400);
      expect((await browser.refresh(made())).status).toBe(400);
      const now = minute(Date.now());
      tries.set(now, (tries.get(now) ?? 0) + 1);
    }
    const out = { method: "POST", headers: { origin: browser.app, cookie: browser.vaultCookie(made()) } };
    expect((await send(`${browser.vault}/sign-out`, out)).status).toBe(204);
    // Each outbox is forwarded in order: what is seen of these has all before it.
    const later = await Promise.all([
      browser.rest("POST", "/kms/exports", { account, documents: [documents[0]] }),
      browser.signIn("Olga"),
    ]);
    const { entries } = await auditThat(system, TENANT, (all) =>
      later.every(({ headers }) => all.some(({ requestId }) => requestId === headers["request-id"])),
    );
    const resources = entries.filter(({ action }) => action === "kms:export").map(({ resource }) => resource);
    const listed = createHash("sha256").update(
      documents
        .toSorted()
        .map((id) => `${id}\n`)
        .join(""),
    );
    expect(resources).toHaveLength(2);
    expect(resources).toContain(
      `account/${account}/export/${json(order).order}/documents/500/${listed.digest("base64url")}`,
    );
    for (const action of ["iam:token", "iam:refresh"]) {
      const denied = entries.filter((entry) => entry.action === action && entry.outcome === "deny");
      const rows = Map.groupBy(denied, ({ time }) => minute(Date.parse(time)));
      const most = Math.max(...[...rows.values()].map(({ length }) => length));
      // What was counted besides has a row, and so has what was refused before in this file.
      expect([...rows.keys()].every(Number.isInteger)).toBe(true);
      expect(most, action).toBeGreaterThanOrEqual(15);
      expect(most, action).toBeLessThan(TRIES);
    }
    expect(entries.some(({ action }) => action === "iam:sign-out")).toBe(false);
  });

  it("cannot be written in another domain's name", async () => {
    const row = {
      outbox: 1,
      time: "t",
      action: "a",
      resource: "r",
      outcome: "allow",
      requestId: "q",
    } as const;
    const append = (source: string) =>
      callDoor(system, "AUDIT_GATEWAY.append", {
        tenant: TENANT,
        source,
        epoch: crypto.randomUUID(),
        rows: [row],
      });
    for (const source of ["kms", "gatewayx", "iam/gateway", ""]) {
      expect(await append(source)).toMatchObject({ ok: false, problem: { code: "forbidden" } });
    }
    expect(await append("gateway/x")).toEqual({ ok: true, value: { accepted: 1 } });
  });

  it("has its log's root signed by the HSM, under a key that the root trusts for it", async () => {
    await auditThat(system, TENANT, (entries) => entries.length > 0);
    const audit = await system.running.edge.audit();
    const signed = await audit.lastSignedRoot(TENANT);
    const trust = await trustList();
    const payload = await verifyJws(signed!, SIGN_TYPE.audit, (kid) => findKey(trust, kid, "audit"));
    expect(payload).toMatchObject({ version: 2, tenant: TENANT });
  });
});

/** From the HSM, as the root has signed it. */
async function trustList(): Promise<TrustList> {
  const { hsm, pki } = system.running;
  const port = hsm.ttlvPort;
  const transport = tlsTransport({ host: "127.0.0.1", port, ca: pki.serverCa, ...pki.clients[IDENTITY.iam] });
  const exchange = async (_: unknown, init?: { body?: unknown }) =>
    new Response(new Uint8Array(await transport.exchange(init?.body as Uint8Array)));
  try {
    const client = openHsm({ fetch: exchange } as never, "https://hsm/kmip");
    const token = new TextDecoder().decode(await client.opaque(TRUST_LIST));
    const root = await client.publicKey(ROOT_CA.publicKey);
    return await verifyTrustList(token, root, Math.floor(Date.now() / 1000));
  } finally {
    await transport.close();
  }
}
