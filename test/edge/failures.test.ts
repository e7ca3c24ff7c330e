import { beforeAll, describe, expect, it } from "vitest";
import { tlsTransport } from "#kmip-node/index.ts";
import { IDENTITY, type Identity, masterKeyName, recipientNames } from "#protocol/hierarchy/index.ts";
import { createKmipClient, type KmipClient } from "#protocol/kmip/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, problem, send } from "../support/http.ts";
import {
  askGrant,
  type EnrolmentAnswer,
  enrol,
  type Keys,
  makeKeys,
  openSession,
  redemption,
} from "../support/instance.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

const system = useSystem();
let ann: EdgeClient;
let keys: Keys;
let instance: EnrolmentAnswer;
let edk: string;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  keys = await makeKeys();
  instance = json<EnrolmentAnswer>(await enrol(ann, keys));
  edk = json<{ edks: [string] }>(await dataKeys()).edks[0];
});

const dataKeys = () =>
  ann.rest("POST", "/kms/data-keys", { account: ann.account, count: 1, purpose: "document" });
const rewrap = () =>
  ann.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: instance.wrappingCertificate });

/** What a request is answered within ten seconds and a few. */
const untilAsked = (ask: () => Promise<Answer>) =>
  expect.poll(async () => problem(await ask()), { timeout: 20_000, interval: 1000 });

/** Asks the HSM as one of its identities. */
async function asHsm<T>(identity: Identity, ask: (hsm: KmipClient) => Promise<T>) {
  const { pki, hsm } = system.running;
  const transport = tlsTransport({
    host: "127.0.0.1",
    port: hsm.ttlvPort,
    ca: pki.serverCa,
    ...pki.clients[identity],
  });
  try {
    return await ask(createKmipClient(transport));
  } finally {
    transport.close();
  }
}
const locate = (identity: Identity, nameValue: string) =>
  asHsm(identity, async (hsm) => {
    const name = [{ nameValue, nameType: "UninterpretedTextString" as const }];
    return (await hsm.request("Locate", { attributes: { name } })).uniqueIdentifier.length;
  });

/** Until it holds; alarms ring half a second after a decision. */
async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 20_000; !(await holds()); ) {
    if (Date.now() > end) throw new Error("it did not come to hold");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe("what is left behind", () => {
  it("M20 every refusal of an enrolment is in the audit log, no credential is", async () => {
    const grant = await askGrant(ann);
    const [first, second] = [await openSession(ann), await openSession(ann)];
    await ann.vaultPost(`/ra/enrolments/${first.id}`, await redemption(grant, first.nonce, keys));
    await ann.vaultPost(`/ra/enrolments/${second.id}`, await redemption(grant, second.nonce, keys));
    const entries = () => readRows(system.edgeDir, "links").map((row) => String(row.entry));
    await eventually(() => entries().some((entry) => entry.includes("grant unknown or already used")));
    const denied = entries().find((entry) => entry.includes("grant unknown or already used"))!;
    expect(JSON.parse(denied)).toMatchObject({
      action: "ra:redeem",
      outcome: "deny",
      code: "invalid-grant",
      source: `ra/${ann.tokens.user.id}`,
    });
    expect(denied).toContain(second.id);
    for (const secret of [grant, first.nonce, second.nonce, ann.cookie.split("=")[1]!, edk]) {
      expect(entries().join()).not.toContain(secret);
    }
  });

  it("abandoned uploads, cut off batches and ended instances are swept", async () => {
    const { id } = json<{ id: string }>(await ann.rest("POST", ann.documents, {}));
    await ann.rest("PUT", `${ann.documents}/${id}/parts/1`, new Uint8Array(100));
    const ended = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
    const recipient = recipientNames(ended.instance).key;
    expect(await locate(IDENTITY.ra, recipient)).toBe(1);
    await system.restart(() => {
      const dir = system.edgeDir;
      expect(changeRows(dir, "documents", `UPDATE documents SET touched = 0 WHERE id = '${id}'`)).toBe(1);
      expect(
        changeRows(dir, "instances", `UPDATE instances SET not_after = 1 WHERE id = '${ended.instance}'`),
      ).toBe(1);
      // Those of the sign-ins are woken by sign-ins alone, and ask the HSM for nothing.
      const elsewhere = "FROM store_identity WHERE source NOT LIKE '%/sign-ins-%'";
      for (const [id, objects] of [
        ["kms/cut-off", 3],
        ["cut-off", 2],
      ])
        changeRows(dir, "hsm_batches", `INSERT INTO hsm_batches SELECT '${id}', ${objects}, 0 ${elsewhere}`);
    });
    const body = { way: "rewrap", edk, certificate: ended.wrappingCertificate };
    expect(problem(await ann.rest("POST", "/kms/loads", body))).toBe("403 not-recipient");
    await ann.rest("GET", ann.documents);
    await askGrant(ann);
    await dataKeys();
    // The tenant's own object is asked about those alone who sign in for the first time.
    await EdgeClient.signedIn(system, "Newcomer");
    const gone = (table: string, column: string, value: string) =>
      !readRows(system.edgeDir, table).some((row) => row[column] === value);
    await eventually(() => gone("documents", "id", id));
    await eventually(() => gone("hsm_batches", "id", "kms/cut-off"));
    await eventually(() => gone("hsm_batches", "id", "cut-off"));
    await eventually(async () => (await locate(IDENTITY.ra, recipient)) === 0);
    expect((await rewrap()).status).toBe(200);
  });
});

describe("when the HSM is away", () => {
  it("says so, consumes the grant, and leaves nothing once it is back", async () => {
    const grant = await askGrant(ann);
    const [first, second] = [await openSession(ann), await openSession(ann)];
    const { hsm } = system.running;
    await hsm.close();
    hsm.close = async () => {}; // the restart would close it again
    expect(problem(await rewrap())).toBe("503 hsm-unavailable");
    expect(problem(await dataKeys())).toBe("503 hsm-unavailable");
    // That there is a master key was known a moment ago, and counts for ten seconds.
    await untilAsked(() => ann.rest("POST", "/ra/grants", {})).toBe("503 hsm-unavailable");
    const redeem = async ({ id, nonce }: typeof first) =>
      ann.vaultPost(`/ra/enrolments/${id}`, await redemption(grant, nonce, keys));
    expect(problem(await redeem(first))).toBe("503 hsm-unavailable");
    expect(readRows(system.edgeDir, "hsm_batches").length).toBeGreaterThan(0);

    await system.restart(() => {
      changeRows(system.edgeDir, "hsm_batches", "UPDATE hsm_batches SET started = 0");
    });
    expect(problem(await redeem(second))).toBe("400 invalid-grant");
    expect((await rewrap()).status).toBe(200);
    await eventually(() => readRows(system.edgeDir, "hsm_batches").length === 0);
  });
});

describe("custodians without standing", () => {
  it("M5 have no grant after sign-out", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    expect((await bob.rest("POST", "/ra/grants", {})).status).toBe(201);
    const out = await send(`${bob.vault}/sign-out`, {
      method: "POST",
      headers: { cookie: bob.cookie, origin: bob.vault },
    });
    expect(out.status).toBe(204);
    expect((await bob.rest("POST", "/ra/grants", {})).status).toBeGreaterThanOrEqual(401);
  });

  it("W12 keep neither instances nor access to keys after sign-out, and others lose nothing", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    const elsewhere = await EdgeClient.signedIn(system, "Bob");
    const [own, other] = [
      json<EnrolmentAnswer>(await enrol(bob, await makeKeys())),
      json<EnrolmentAnswer>(await enrol(elsewhere, await makeKeys())),
    ];
    const body = { account: bob.account, count: 1, purpose: "document" };
    const { edks } = json<{ edks: [string] }>(await bob.rest("POST", "/kms/data-keys", body));
    const ask = (client: EdgeClient, { wrappingCertificate: certificate }: EnrolmentAnswer) =>
      client.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate });
    expect((await ask(bob, own)).status).toBe(200);
    const [grant, session] = [await askGrant(bob), await openSession(elsewhere)];

    const headers = { cookie: bob.cookie, origin: bob.vault };
    expect((await send(`${bob.vault}/sign-out`, { method: "POST", headers })).status).toBe(204);
    // Its access token has not expired.
    expect(problem(await bob.rest("POST", "/kms/data-keys", body))).toBe("401 invalid-token");
    expect(problem(await ask(bob, own))).toBe("401 invalid-token");
    expect(problem(await ask(bob, other))).toBe("401 invalid-token");
    expect(problem(await ask(elsewhere, own))).toBe("403 not-recipient");
    const redeemed = await redemption(grant, session.nonce, await makeKeys());
    expect(problem(await elsewhere.vaultPost(`/ra/enrolments/${session.id}`, redeemed))).toBe(
      "400 invalid-grant",
    );
    await eventually(async () => (await locate(IDENTITY.ra, recipientNames(own.instance).key)) === 0);
    expect(readRows(system.edgeDir, "outbox")).toEqual([]);
    expect((await ask(elsewhere, other)).status).toBe(200);
  });

  it("M5 have no grant under another's certificate, though a row of the IAM says it is theirs", async () => {
    const [carol, dave] = [
      await EdgeClient.signedIn(system, "Carol"),
      await EdgeClient.signedIn(system, "Dave"),
    ];
    const daves = Buffer.from(dave.tokens.custodian.certificate, "base64url").toString("hex");
    await system.restart(() => {
      const statement = `UPDATE custodians SET certificate = x'${daves}' WHERE user = '${carol.tokens.user.id}'`;
      expect(changeRows(system.edgeDir, "custodians", statement)).toBe(1);
    });
    expect(problem(await carol.rest("POST", "/ra/grants", {}))).toBe("403 forbidden");
    expect((await dave.rest("POST", "/ra/grants", {})).status).toBe(201);
  });

  it("M5 have no grant when their tenant's master key has ended", async () => {
    await asHsm(IDENTITY.officer, async (hsm) => {
      const name = [
        {
          nameValue: masterKeyName(ann.tokens.tenant),
          nameType: "UninterpretedTextString" as const,
        },
      ];
      const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name } });
      const revocationReason = { revocationReasonCode: "CessationOfOperation" as const };
      await hsm.request("Revoke", { uniqueIdentifier: uniqueIdentifier[0], revocationReason });
    });
    await untilAsked(() => ann.rest("POST", "/ra/grants", {})).toBe("403 forbidden");
    expect(problem(await rewrap())).toBe("502 hsm-refused");
    expect(problem(await dataKeys())).toBe("502 hsm-refused");
  });
});
