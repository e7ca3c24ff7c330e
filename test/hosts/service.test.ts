import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { problemsOfService, service } from "#protocol/contract/index.ts";
import { type Listening, serveMicroservice, type TlsIdentity } from "#web/hosts/node/index.ts";
import { json, problem } from "../support/http.ts";
import { useSystem } from "../system/index.ts";
import {
  type Authority,
  callService,
  contextOf,
  custodianOf,
  makeAuthority,
  type NodeCustodian,
  newKeyAt,
  type ServiceClient,
  serviceClient,
} from "./index.ts";

const system = useSystem();
const dir = mkdtempSync(join(tmpdir(), "coffer-service-"));
const data = encodeBase64url(utf8("a letter"));
let authority: Authority;
let custodian: NodeCustodian;
let identity: TlsIdentity;
/** What holds the contract, by host. */
const hosts: Record<string, { listening: Listening; client: ServiceClient; close(): void }> = {};

beforeAll(async () => {
  [authority, custodian] = await Promise.all([makeAuthority(), custodianOf(system, "Ada")]);
  identity = await authority.issue(custodian.dn);
  const own = await authority.issue("CN=microservice");
  for (const [name, place] of [
    ["socket", { socket: join(dir, "microservice.sock") }],
    ["loopback", { port: 0 }],
  ] as const) {
    const { port, close } = custodian.microservice();
    const { dn } = custodian;
    const listening = await serveMicroservice({ port, custodian: dn, place, identity: own, peers: [dn] });
    hosts[name] = { listening, close, client: serviceClient(listening.place, identity) };
  }
});
afterAll(async () => {
  for (const { client, listening, close } of Object.values(hosts)) {
    client.close();
    await listening.close();
    close();
  }
  rmSync(dir, { recursive: true });
});

describe.each(["socket", "loopback"])("M16 the service contract over a %s", (name) => {
  const host = () => hosts[name]!;
  const call = <T>(...of: Parameters<ServiceClient["call"]>) => callService<T>(host().client, ...of);

  it("M16 enrols, loads and operates by its routes alone", async () => {
    const [key, macKey] = [
      await newKeyAt(custodian, host().client, "AES-256-GCM-HKDF-SHA512-COMMIT-KEY"),
      await newKeyAt(custodian, host().client, "HMAC-SHA256-HKDF-SHA512"),
    ];
    const context = contextOf(custodian);
    const { message } = await call<{ message: string }>("encrypt", { body: { key, context, data } });
    expect(await call("decrypt", { body: { context, message } })).toEqual({ data });
    const { mac } = await call<{ mac: string }>("mac", { body: { key: macKey, data } });
    expect(await call("macVerify", { body: { key: macKey, data, mac } })).toEqual({ valid: true });
    expect(await call("random", { body: { length: 16 } })).toEqual({
      bytes: expect.stringMatching(/^[\w-]{22}$/),
    });
    const query = { key, context: encodeBase64url(utf8(JSON.stringify(context))) };
    const document = randomBytes(3_000_000);
    const sealed = await host().client.call("seal", { query, bytes: document });
    expect(sealed.status).toBe(200);
    const opened = await host().client.call("open", {
      query: { context: query.context },
      bytes: sealed.bytes,
    });
    expect(opened.bytes.equals(document)).toBe(true);
    await call("lock", { body: {} });
    // What was loaded is kept wrapped, and unwrapped again.
    expect(await call("decrypt", { body: { context, message } })).toEqual({ data });
  });

  it("M10 entrusts keys that came by a grant, and operates with those that a request brings", async () => {
    const { client } = host();
    await newKeyAt(custodian, client, "AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
    const { instance } = await call<{ instance: { wrappingCertificate: string } }>("describe");
    const certificate = instance.wrappingCertificate;
    const { account } = custodian;
    const order = { account, count: 2, purpose: "data", algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY" };
    const ask = async <T>(path: string, body: object) =>
      json<T>(await custodian.client.rest("POST", path, body));
    const { edks } = await ask<{ edks: string[] }>("/kms/data-keys", order);
    const { grant } = await ask<{ grant: string }>("/kms/grants", { edks, certificate });
    const loaded = await call<{ others?: object[] }>("load", { body: { way: "grant", grant, edks } });
    expect(loaded.others).toHaveLength(1);
    const { keys } = await call<{ keys: string[] }>("entrust", { body: { edks } });
    expect(keys).toHaveLength(2);
    const context = contextOf(custodian);
    const [key = "", other = ""] = keys;
    const { message } = await call<{ message: string }>("encrypt", { body: { key, context, data } });
    expect(await call("decrypt", { body: { key, context, message } })).toEqual({ data });
    const refused = async (body: object) => problem(await client.call("decrypt", { body }));
    expect(await refused({ context, message })).toBe("409 key-missing");
    expect(await refused({ key: other, context, message })).toBe("422 decrypt-failed");
    const altered = `${key.slice(0, -1)}${key.endsWith("A") ? "B" : "A"}`;
    expect(await refused({ key: altered, context, message })).toBe("403 key-refused");
    expect(await refused({ key: `${key}.AA`, context, message })).toBe("400 bad-request");
  });

  it("M16 publishes its contract as OpenAPI, with the path of each route that it answers", async () => {
    const published = await call<{ paths: Record<string, object> }>("openApi");
    expect(Object.keys(published.paths).sort()).toEqual(
      Object.values(service)
        .map(({ path }) => path)
        .sort(),
    );
  });

  it("M16 refuses with the contract's problems, and says no more", async () => {
    const { client } = host();
    const key = await newKeyAt(custodian, client, "AES-256-GCM-HKDF-SHA512-COMMIT-KEY");
    const context = contextOf(custodian);
    const { message } = await call<{ message: string }>("encrypt", { body: { key, context, data } });
    const refusals = {
      "422 decrypt-failed": client.call("decrypt", {
        body: { context: { ...context, account: "b" }, message },
      }),
      "422 context-mismatch": client.call("encrypt", {
        body: { key, context: { ...context, account: "b" }, data },
      }),
      "403 forbidden": client.call("mac", { body: { key, data } }),
      "409 key-missing": client.call("mac", { body: { key: "e30.e30.c2ln", data } }),
      "403 key-refused": client.call("load", {
        body: { way: "rewrap", edk: key, wrappedKey: "A".repeat(512), receipt: key },
      }),
      "400 bad-request": client.call("random", { body: { length: 0 } }),
      "415 unsupported-media-type": client.call("random", { bytes: utf8("{}") }),
      "413 too-large": client.call("lock", { body: { x: "x".repeat(2000) } }),
      "404 not-found": client.send("GET", "/keys/1"),
      "405 method-not-allowed": client.send("GET", "/operations/hash"),
    };
    const published = new Set<string>(Object.values(service).flatMap(problemsOfService));
    for (const [expected, answer] of Object.entries(refusals)) {
      const { headers, text } = await answer;
      expect(problem(await answer)).toBe(expected);
      if (!/^40[45]/.test(expected)) expect(published).toContain(expected.slice(4));
      expect(headers["content-type"]).toBe("application/problem+json");
      expect(Object.keys(JSON.parse(text)).sort()).toEqual(["code", "status", "title", "type"]);
    }
    // A stream that cannot be opened has a problem too.
    const query = { context: encodeBase64url(utf8(JSON.stringify(context))) };
    expect(problem(await client.call("open", { query, bytes: randomBytes(500) }))).toBe("422 decrypt-failed");
  });

  it("M14 serves whose certificate names its custodian, and nobody else", async () => {
    const { place } = host().listening;
    const stranger = serviceClient(place, await authority.issue("CN=somebody,O=coffer"));
    expect(problem(await stranger.call("describe"))).toBe("403 foreign-custodian");
    stranger.close();
    const others = await makeAuthority();
    const { ca } = identity;
    const cases: Partial<TlsIdentity>[] = [
      { ca },
      { ...(await others.issue(custodian.dn)), ca },
      { ...(await authority.issue(custodian.dn, { notAfter: new Date(Date.now() - 1000) })) },
    ];
    for (const shown of cases) {
      const client = serviceClient(place, shown);
      await expect(client.call("describe")).rejects.toThrow();
      client.close();
    }
  });
});

it("M15 listens on a socket that its owner alone may open, and takes none from a process that runs", async () => {
  const { socket } = hosts.socket!.listening.place as { socket: string };
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  const { port, close } = custodian.microservice();
  const again = { port, custodian: custodian.dn, place: { socket }, identity, peers: [] };
  await expect(serveMicroservice(again)).rejects.toMatchObject({ code: "folder-in-use" });
  close();
});
