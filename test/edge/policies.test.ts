/** Policies that stand on a tenant or on all: enforced by the KMS whatever the key's own policy says. */

import { beforeAll, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { readRows, useSystem } from "../system/index.ts";

const all = { effect: "allow", principals: "*", actions: "*", resources: "*" };
const deny = (name: object, action: string) => ({
  ...all,
  effect: "deny",
  principals: [{ name }],
  actions: [action],
});
const COFFER_POLICIES = JSON.stringify({
  "*": { statements: [all, deny({ O: "umbrella" }, "create")] },
  development: {
    statements: [{ ...all, principals: [{ name: { O: "development" } }], actions: ["create", "decrypt"] }],
  },
  rung: { statements: [{ ...all, actions: ["encrypt", "decrypt"] }] },
  peak: { statements: [{ ...all, resources: ["accounts/**"] }] },
  desk: { statements: [all, deny({ O: "desk" }, "decrypt"), deny({ O: "d*" }, "encrypt")] },
});
const system = useSystem({
  otherTenants: ["umbrella", "desk", "rung", "peak"],
  levels: { rung: "account", peak: "master" },
  vars: { COFFER_POLICIES },
});
let page: EdgeClient;

beforeAll(async () => {
  page = await EdgeClient.signedIn(system, "Ann");
});

const makeKey = (client: EdgeClient) =>
  client.rest("POST", "/kms/data-keys", { account: client.account, count: 1, purpose: "document" });
async function load(client: EdgeClient) {
  const { edks } = json<{ edks: [string] }>(await makeKey(client));
  const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(client, await makeKeys()));
  return client.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate });
}

it("M12, B3: the receipt allows what the policies of all, of the tenant and of the key allow", async () => {
  const { receipt } = json<{ receipt: string }>(await load(page));
  const { policy } = JSON.parse(Buffer.from(receipt.split(".")[1]!, "base64url").toString());
  expect(policy.operations).toEqual(["decrypt"]);
});

it("M12, B3: a name that a policy denies gets no key made, or none loaded; why is in the audit log alone", async () => {
  const umbrella = await EdgeClient.signedIn(system.tenant("umbrella"), "Ann");
  const refused = await makeKey(umbrella);
  expect(problem(refused)).toBe("403 forbidden");
  expect(JSON.stringify(json(refused))).not.toMatch(/principals|statement|policy/);
  const desk = await EdgeClient.signedIn(system.tenant("desk"), "Ann");
  expect(problem(await load(desk))).toBe("403 forbidden");
  const told = (action: string) =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)))
      .filter((entry) => entry.action === action)
      .map(({ reason }) => reason);
  const denied = "denied by principals,actions,resources";
  await expect.poll(() => told("kms:data-keys")).toContain(`policy: ${denied}`);
  await expect.poll(() => told("kms:rewrap")).toContain(denied);
});

it("M12: an instance that needs no receipt gets no key that a policy does not release", async () => {
  const rung = await EdgeClient.signedIn(system.tenant("rung"), "Ann");
  const app = await InstanceClient.ready(rung);
  const challenge = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
  const order = { account: rung.account, challenge };
  expect(problem(await app.rest("POST", "/instances/account-key", order))).toBe("403 forbidden");
  const askKey = (by: InstanceClient) =>
    by.rest("POST", "/instances/key-identifiers", { account: by.account, purpose: "document" });
  expect(problem(await askKey(app))).toBe("403 forbidden");
  const top = await InstanceClient.ready(await EdgeClient.signedIn(system.tenant("peak"), "Ann"));
  expect(problem(await top.rest("POST", "/instances/master-key", { challenge }))).toBe("403 forbidden");
  const { keyId, keyVersion } = json<{ keyId: string; keyVersion: number }>(await askKey(top));
  const key = `/instances/accounts/${top.account}/data-keys/${keyId}.${keyVersion}`;
  expect((await top.rest("GET", key)).status).toBe(200);
});
