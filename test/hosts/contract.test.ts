/** Promise 4: one contract, whoever answers it. The browser's Service Worker has the same cases in service-worker.test.ts. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { AT_CAAS, CAAS_PATH, type ServiceRoute, service } from "#protocol/contract/index.ts";
import { type Listening, serveMicroservice, type TlsIdentity } from "#web/hosts/node/index.ts";
import { startSidecar } from "#web/hosts/sidecar/index.ts";
import { problem, send } from "../support/http.ts";
import { useSystem } from "../system/index.ts";
import { caasHost, sayOperations } from "./caas.ts";
import { type ContractHost, contractCases, operated } from "./contract.ts";
import {
  type Authority,
  contextOf,
  custodianOf,
  handOver,
  makeAuthority,
  type NodeCustodian,
  orderKey,
  type ServiceClient,
  serviceClient,
} from "./index.ts";

const system = useSystem();
const dir = mkdtempSync(join(tmpdir(), "coffer-contract-"));
const hosts: Record<string, ContractHost> = {};
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  const [authority, custodian] = await Promise.all([makeAuthority(), custodianOf(system, "Ada")]);
  const identity = await authority.issue(custodian.dn);
  const own = await authority.issue("CN=microservice");
  for (const [name, place] of [
    ["socket", { socket: join(dir, "microservice.sock") }],
    ["loopback", { port: 0 }],
  ] as const) {
    const { port, close } = custodian.microservice();
    const { dn } = custodian;
    const listening = await serveMicroservice({ port, custodian: dn, place, identity: own, peers: [dn] });
    hosts[name] = nodeHost(custodian, identity, listening);
    closing.push(() => listening.close(), close);
  }
  hosts.sidecar = nodeHost(custodian, identity, await withSidecar(custodian, authority, own));
  hosts.CaaS = caasHost(custodian.client);
  await sayOperations(system, true);
});
afterAll(async () => {
  for (const close of closing) await close();
  rmSync(dir, { recursive: true });
});

/** A microservice that lets its sidecar in and nobody else, and the sidecar, which everything passes. */
async function withSidecar(
  { dn, microservice }: NodeCustodian,
  authority: Authority,
  own: TlsIdentity,
): Promise<Listening> {
  const name = "CN=sidecar";
  const socket = join(dir, "behind.sock");
  const { port, close } = microservice();
  const place = { socket };
  const behind = await serveMicroservice({ port, custodian: dn, place, identity: own, peers: [name] });
  const sidecar = await startSidecar({
    ...{ place: { port: 0 }, identity: await authority.issue(name), custodians: [dn] },
    microservice: { socket, name: "CN=microservice" },
    policy: JSON.stringify({
      statements: [{ effect: "allow", principals: "*", actions: "*", resources: "*" }],
    }),
    audit: join(dir, "audit.jsonl"),
  });
  closing.push(
    () => sidecar.close(),
    () => behind.close(),
    close,
  );
  return sidecar;
}

function nodeHost(custodian: NodeCustodian, identity: TlsIdentity, { place }: Listening): ContractHost {
  const client: ServiceClient = serviceClient(place, identity);
  closing.unshift(() => client.close());
  return {
    send: (...request) => client.send(...request),
    async key(algorithm) {
      const edk = await orderKey(custodian, algorithm);
      await handOver(custodian, client, edk);
      return edk;
    },
    take: (edk) => handOver(custodian, client, edk),
    context: () => contextOf(custodian),
  };
}

const NAMES = ["socket", "loopback", "sidecar", "CaaS"] as const;
describe.each(NAMES)("M16 the service contract: %s", (name) => contractCases(() => hosts[name]!));

it("M16 the CaaS says of what has an instance or a document in it that it does not do that, to who has shown a token", async () => {
  const caas = hosts.CaaS!;
  const edk = await caas.key("AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
  const named = (path: string) => (path === service.seal.path ? `${path}?key=${edk}&context=e30` : path);
  const asked = Object.entries(AT_CAAS).filter(([, offered]) => !offered);
  expect(asked.map(([id]) => id)).toEqual(["enrol", "load", "entrust", "seal", "open"]);
  for (const [id] of asked) {
    const { method, path, request }: ServiceRoute = service[id as keyof typeof AT_CAAS];
    const sent = request && "octets" in request ? { bytes: utf8("a letter") } : { body: {} };
    expect(problem(await caas.send(method, named(path), sent)), id).toBe("501 not-offered");
    const nobody = await send(`${system.appOrigin}${CAAS_PATH}${path}`, { method });
    expect(nobody.status, id).toBe(401);
  }
  expect(problem(await caas.send("GET", "/keys"))).toBe("405 method-not-allowed");
  expect(problem(await caas.send("GET", "/keyring"))).toBe("404 not-found");
});

it("M16 M17 what one host has sealed, vouched for or signed, each other one opens and verifies", async () => {
  const data = encodeBase64url(utf8("moved by changing an address"));
  for (const name of NAMES) {
    const from = hosts[name]!;
    const context = from.context();
    const key = await from.key("AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
    const macKey = await from.key("HMAC-SHA256-HKDF-SHA512");
    const signKey = await from.key("ES384");
    const { signature } = await operated(from, "sign", { key: signKey, data });
    const { message } = await operated(from, "encrypt", { key, context, data });
    const { mac } = await operated(from, "mac", { key: macKey, data });
    for (const other of NAMES.filter((one) => one !== name)) {
      const to = hosts[other]!;
      await to.take(key);
      await to.take(macKey);
      await to.take(signKey);
      expect(await operated(to, "verify", { key: signKey, data, signature })).toEqual({ valid: true });
      const theirs = await operated(to, "sign", { key: signKey, data });
      const again = { key: signKey, data, signature: theirs.signature };
      expect(await operated(from, "verify", again)).toEqual({ valid: true });
      expect(await operated(to, "decrypt", { context, message }), `${name} to ${other}`).toEqual({ data });
      expect(await operated(to, "macVerify", { key: macKey, data, mac })).toEqual({ valid: true });
      expect(await operated(to, "mac", { key: macKey, data })).toEqual({ mac });
    }
  }
});
