/** What ends with a sign-in: the instance at the RA, its recipient at the HSM, and the way to keys, from the moment on. */

import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { expect, it } from "vitest";
import { tlsTransport } from "#kmip-node/index.ts";
import { IDENTITY, recipientNames } from "#protocol/hierarchy/index.ts";
import { createKmipClient } from "#protocol/kmip/index.ts";
import { EdgeClient, newVerifier, type Tokens } from "../support/edge-client.ts";
import { json, problem, send } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

const system = useSystem();

/** A person with an enrolled instance and a data key. */
async function enrolled(name: string) {
  const client = await EdgeClient.signedIn(system, name);
  const instance = json<EnrolmentAnswer>(await enrol(client, await makeKeys()));
  const body = { account: client.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await client.rest("POST", "/kms/data-keys", body));
  const rewrap = (by = client) =>
    by.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate: instance.wrappingCertificate });
  expect((await rewrap()).status).toBe(200);
  return { client, instance, rewrap, status: () => statusOf(instance.instance) };
}
const statusOf = (id: string) => {
  const row = readRows(system.edgeDir, "instances").find((instance) => instance.id === id);
  return row && `${row.status} ${row.hsm_gone === 1 ? "gone" : "kept"}`;
};

/** How many recipients the HSM has for an instance. */
async function recipients(instance: string): Promise<number> {
  const { pki, hsm } = system.running;
  const to = { host: "127.0.0.1", port: hsm.ttlvPort, ca: pki.serverCa, ...pki.clients[IDENTITY.ra] };
  const transport = tlsTransport(to);
  try {
    const nameValue = recipientNames(instance).key;
    const name = [{ nameValue, nameType: "UninterpretedTextString" as const }];
    const found = await createKmipClient(transport).request("Locate", { attributes: { name } });
    return found.uniqueIdentifier.length;
  } finally {
    transport.close();
  }
}

it("a refresh token that is used twice ends the instance and its recipient, and nobody else's", async () => {
  const [ada, bob] = [await enrolled("Ada"), await enrolled("Bob")];
  const elsewhere = await EdgeClient.signedIn(system, "Ada");
  const first = ada.client.tokens.refresh_token;
  const second = json<{ refresh_token: string }>(await ada.client.refresh(first)).refresh_token;
  expect((await ada.client.refresh(second)).status).toBe(200);
  expect((await ada.rewrap()).status).toBe(200);
  expect(problem(await ada.client.refresh(first))).toBe("400 invalid-grant");
  expect(problem(await ada.rewrap())).toBe("401 invalid-token");
  // Not by another sign-in of the same person either.
  expect(problem(await ada.rewrap(elsewhere))).toBe("403 not-recipient");
  expect(problem(await ada.client.rest("POST", "/ra/grants", {}))).toBe("403 forbidden");
  await expect.poll(() => recipients(ada.instance.instance)).toBe(0);
  await expect.poll(ada.status).toBe("revoked gone");
  // Again and again is the same.
  for (const token of [first, second, first])
    expect(problem(await ada.client.refresh(token))).toBe("400 invalid-grant");
  expect((await bob.rewrap()).status).toBe(200);
  expect(await recipients(bob.instance.instance)).toBe(1);
});

it("a reuse while the HSM is away ends the way to keys at once, and the recipient when the HSM is back", async () => {
  const ada = await enrolled("Ada");
  const { refresh_token: first } = ada.client.tokens;
  const second = json<{ refresh_token: string }>(await ada.client.refresh(first)).refresh_token;
  expect((await ada.client.refresh(second)).status).toBe(200);
  const { hsm } = system.running;
  await hsm.close();
  hsm.close = async () => {}; // the restart would close it again
  expect(problem(await ada.client.refresh(first))).toBe("400 invalid-grant");
  await expect.poll(ada.status).toBe("revoked kept");
  await system.restart();
  expect(problem(await ada.rewrap())).toBe("401 invalid-token");
  const elsewhere = await EdgeClient.signedIn(system, "Ada");
  expect(problem(await ada.rewrap(elsewhere))).toBe("403 not-recipient");
  await expect.poll(() => recipients(ada.instance.instance), { timeout: 90_000 }).toBe(0);
  await expect.poll(ada.status).toBe("revoked gone");
});

it("a revocation that the HSM has not heard of holds at the edge, and reaches the HSM after a kill", async () => {
  const ada = await enrolled("Ada");
  const { hsm } = system.running;
  await hsm.close();
  hsm.close = async () => {}; // the restart would close it again
  const revoked = await ada.client.rest("DELETE", `/ra/instances/${ada.instance.instance}`);
  expect(revoked.status).toBe(204);
  expect(ada.status()).toBe("revoked kept");
  process.kill(system.pid, "SIGKILL");
  await system.restart();
  expect(problem(await ada.rewrap())).toBe("403 not-recipient");
  await expect.poll(() => recipients(ada.instance.instance), { timeout: 90_000 }).toBe(0);
  await expect.poll(ada.status).toBe("revoked gone");
});

it("a sign-in that runs out ends the instance by alarm, though its certificate would hold for longer", async () => {
  const [ada, bob] = [await enrolled("Ada"), await enrolled("Bob")];
  const soon = Math.floor(Date.now() / 1000) + 1;
  await system.restart(() => {
    const user = ada.client.tokens.user.id;
    const statement = `UPDATE families SET expires = ${soon} WHERE user = '${user}' AND revoked IS NULL`;
    expect(changeRows(system.edgeDir, "families", statement)).toBeGreaterThan(0);
  });
  // Any request wakes her object; what has run out is nobody's to present.
  expect((await bob.rewrap()).status).toBe(200);
  const { vault, cookie } = ada.client;
  expect((await send(`${vault}/session`, { headers: { cookie } })).status).toBe(200);
  await expect.poll(() => recipients(ada.instance.instance)).toBe(0);
  await expect.poll(ada.status).toBe("revoked gone");
  expect(problem(await ada.rewrap())).toBe("401 invalid-token");
  const elsewhere = await EdgeClient.signedIn(system, "Ada");
  expect(problem(await ada.rewrap(elsewhere))).toBe("403 not-recipient");
  expect(readRows(system.edgeDir, "outbox")).toEqual([]);
  expect((await bob.rewrap()).status).toBe(200);
});

it("a sign-out ends an upload at once, though a part of it was taken a moment ago", async () => {
  const [ada, elsewhere] = [
    await EdgeClient.signedIn(system, "Ada"),
    await EdgeClient.signedIn(system, "Ada"),
  ];
  const opened = await ada.rest("POST", ada.documents, {});
  expect(opened.status).toBe(201);
  const { id } = json<{ id: string }>(opened);
  const part = (by: EdgeClient) => by.rest("PUT", `${ada.documents}/${id}/parts/1`, new Uint8Array(10));
  expect((await part(ada)).status).toBe(200);
  expect((await ada.vaultPost("/sign-out", {})).status).toBe(204);
  expect(problem(await part(ada))).toBe("401 invalid-token");
  expect((await part(elsewhere)).status).toBe(200);
});

it("a token that has not expired sees and ends no instances after a sign-out", async () => {
  const [ada, elsewhere] = [await enrolled("Ada"), await EdgeClient.signedIn(system, "Ada")];
  const other = json<EnrolmentAnswer>(await enrol(elsewhere, await makeKeys())).instance;
  const list = (by: EdgeClient) => by.rest("GET", "/ra/instances");
  expect((await list(ada.client)).status).toBe(200);
  expect((await ada.client.vaultPost("/sign-out", {})).status).toBe(204);
  expect(problem(await list(ada.client))).toBe("401 invalid-token");
  expect((await ada.client.rest("DELETE", `/ra/instances/${other}`)).status).toBe(401);
  expect(statusOf(other)).toBe("active kept");
  expect((await elsewhere.rest("DELETE", `/ra/instances/${other}`)).status).toBe(204);
});

it("nothing that is issued in a session outlives it", async () => {
  const browser = await EdgeClient.signedIn(system, "Ada");
  const { user } = browser.tokens;
  const soon = Math.floor(Date.now() / 1000) + 900;
  await system.restart(() => {
    const statement = `UPDATE sessions SET expires = ${soon} WHERE user = '${user.id}'`;
    expect(changeRows(system.edgeDir, "sessions", statement)).toBeGreaterThan(0);
  });
  const verifier = newVerifier();
  const tokens = json<Tokens>(await browser.exchange(await browser.code(verifier), verifier));
  const { certificate } = tokens.custodian;
  const { notAfter } = new x509.X509Certificate(Buffer.from(certificate, "base64url"));
  expect(notAfter.getTime()).toBe(soon * 1000);
  expect(readRows(system.edgeDir, "families").filter(({ expires }) => expires === soon)).toHaveLength(1);
});

it("no instance outlives its custodian's certificate", async () => {
  const ada = await EdgeClient.signedIn(system, "Ada");
  const soon = Math.floor(Date.now() / 1000) + 900;
  await system.restart(() => {
    const statement = `UPDATE custodians SET not_after = ${soon} WHERE user = '${ada.tokens.user.id}'`;
    expect(changeRows(system.edgeDir, "custodians", statement)).toBeGreaterThan(0);
  });
  const { instance, notAfter } = json<EnrolmentAnswer>(await enrol(ada, await makeKeys()));
  expect(notAfter).toBe(soon);
  const row = readRows(system.edgeDir, "instances").find(({ id }) => id === instance);
  expect(row?.not_after).toBe(soon);
});
