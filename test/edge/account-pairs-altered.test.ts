/** Enc(account) that is not what the HSM gave: altered, another account's, another tenant's; under either kind of account key and of master key. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { codeOf } from "#protocol/error.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { type System, startSystem } from "../support/start.ts";
import { changeRows, readRows } from "../system/index.ts";

describe.each([
  ["AES-256", "AES-256"],
  ["RSA-3072", "AES-256"],
  ["RSA-3072", "RSA-3072"],
] as const)("account keys of the kind %s under a master key of the kind %s", (accountKeys, masterKey) => {
  let system: System;
  let ada: Client;
  let id: string;
  /** Enc(account) of Ada's account, and of another. */
  let own: Uint8Array;
  let other: Uint8Array;

  const kept = () => readRows(system.edgeDir, "account_keys").map(({ wrapped }) => wrapped as Uint8Array);
  const connected = (user: string) => {
    const { appOrigin: app, vaultOrigin: vault, running } = system;
    return connect({ app, vault, rootKey: running.rootKey, user });
  };
  const open = async () => {
    const { stream } = await ada.documents.open(id, { account: ada.account() });
    return new Response(stream).text();
  };
  const hex = (bytes: Uint8Array) => `x'${Buffer.from(bytes).toString("hex")}'`;
  const put = (from: Uint8Array, to: Uint8Array) =>
    system.restart(() => {
      const change = `UPDATE account_keys SET wrapped = ${hex(to)} WHERE wrapped = ${hex(from)}`;
      expect(changeRows(system.edgeDir, "account_keys", change)).toBe(1);
    });

  beforeAll(async () => {
    system = await startSystem({ level: "master", masterKey, settings: () => ({ accountKeys }) });
    ada = await connected("Ada");
    const bytes = new TextEncoder().encode("Ada's letter");
    ({ id } = await ada.documents.seal(bytes, ada.account(), { name: "letter.txt" }));
    own = kept()[0]!;
    const bob = await InstanceClient.ready(await EdgeClient.signedIn(system, "Bob"));
    json(await bob.rest("GET", `/instances/accounts/${bob.account}/key`));
    other = kept().find((wrapped) => !Buffer.from(wrapped).equals(own))!;
    ada.close();
  }, 60_000);
  afterAll(() => system?.close());

  it("W1 an altered Enc(account) opens nothing, in the instance and in the HSM, and is there again when it is put back", async () => {
    const altered = Uint8Array.from(own, (byte, at) => (at === 20 ? byte ^ 1 : byte));
    await put(own, altered);
    ada = await connected("Ada");
    expect(await open().catch(codeOf)).toBe("key-refused");
    const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "Ada"));
    const renewed = await app.rest("POST", `/instances/accounts/${app.account}/data-keys`, {
      purpose: "document",
    });
    expect([renewed.status, json<{ code: string }>(renewed).code]).toEqual([502, "hsm-refused"]);
    ada.close();
    await put(altered, own);
    ada = await connected("Ada");
    expect(await open()).toBe("Ada's letter");
    ada.close();
  }, 90_000);

  it("W1 another account's key in its place opens nothing", async () => {
    await put(own, other);
    ada = await connected("Ada");
    expect(await open().catch(codeOf)).toBe("key-refused");
    ada.close();
  }, 60_000);
});
