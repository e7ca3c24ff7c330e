/** M10 from the first message to the last, as the patent's figure has it, with every message recorded. */

import { expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { json } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import { useSystem } from "../system/index.ts";
import { contextOf, custodianOf, type NodeCustodian } from "./index.ts";

const system = useSystem();
const data = encodeBase64url(utf8("a letter to nobody else"));

/** An enrolled microservice of that custodian, and all that passes between custodian, microservice and KMS, in order. */
async function traced(custodian: NodeCustodian) {
  const messages: string[] = [];
  const tell = (message: string) => void messages.push(message);
  const { options, client, dn } = custodian;
  const fetching: typeof fetch = async (input, init) => {
    const { pathname } = new URL(String(input));
    tell(`microservice > KMS ${pathname}`);
    const answer = await options.fetch(input, init);
    tell(`KMS > microservice ${answer.status}`);
    return answer;
  };
  const { port, close } = startMicroservice({ ...options, fetch: fetching });
  const direct = createPortClient(port);
  await direct.hello(dn);
  await direct.enrol({ method: "grant", grant: await askGrant(client) });
  const called = <T>(name: string, call: () => Promise<T>): Promise<T> => {
    tell(`custodian > microservice ${name}`);
    return call().then((value) => {
      tell(`microservice > custodian ${name}`);
      return value;
    });
  };
  const recorded: Pick<PortClient, "load" | "entrust" | "operate" | "has"> = {
    load: (key) => called("load", () => direct.load(key)),
    entrust: (edks) => called("entrust", () => direct.entrust(edks)),
    operate: (operation, asked) => called(operation, () => direct.operate(operation, asked)),
    has: (edk) => direct.has(edk),
  };
  const ask = async <T>(path: string, body: object) => {
    tell(`custodian > KMS ${path}`);
    const answer = json<T>(await client.rest("POST", path, body));
    tell(`KMS > custodian ${path}`);
    return answer;
  };
  messages.length = 0;
  return { messages, port: recorded, ask, certificate: await direct.certificate(), close };
}

it("M10 M7 the whole of it in one trace: a grant, the keys by it, entrusted, and each operation with its own key", async () => {
  const custodian = await custodianOf(system, "Ada");
  const { messages, port, ask, certificate, close } = await traced(custodian);
  const order = {
    ...{ account: custodian.account, count: 2, purpose: "data" },
    algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
  };
  const { edks } = await ask<{ edks: string[] }>("/kms/data-keys", order);
  const { grant } = await ask<{ grant: string }>("/kms/grants", { edks, certificate });
  await port.load({ way: "grant", grant, edks });
  const keys = await port.entrust(edks);
  const context = contextOf(custodian);
  const sealed: string[] = [];
  for (const key of keys) sealed.push((await port.operate("encrypt", { key, context, data })).message);
  for (const [n, message] of sealed.entries())
    expect(await port.operate("decrypt", { key: keys[n]!, context, message })).toEqual({ data });
  expect(messages).toEqual([
    "custodian > KMS /kms/data-keys",
    "KMS > custodian /kms/data-keys",
    "custodian > KMS /kms/grants",
    "KMS > custodian /kms/grants",
    "custodian > microservice load",
    "microservice > KMS /presentations",
    "KMS > microservice 200",
    "microservice > custodian load",
    "custodian > microservice entrust",
    "microservice > custodian entrust",
    ...["encrypt", "encrypt", "decrypt", "decrypt"].flatMap((name) => [
      `custodian > microservice ${name}`,
      `microservice > custodian ${name}`,
    ]),
  ]);
  expect(await Promise.all(edks.map((edk) => port.has(edk)))).toEqual([false, false]);
  close();
});

it("M10 M13 M20 what one instance has entrusted is of no use to another, of the same name or of another", async () => {
  const [ada, bob] = await Promise.all(["Ada", "Bob"].map((user) => custodianOf(system, user)));
  const instances = await Promise.all([ada!, ada!, bob!].map(traced));
  const [own, second, others] = instances;
  const order = { account: ada!.account, count: 1, purpose: "data", algorithm: "HMAC-SHA256-HKDF-SHA512" };
  const { edks } = await own!.ask<{ edks: string[] }>("/kms/data-keys", order);
  const several = { way: "several", edks, certificate: own!.certificate };
  await own!.port.load(await own!.ask("/kms/loads", several));
  const [key = ""] = await own!.port.entrust(edks);
  const { mac } = await own!.port.operate("mac", { key, data });
  expect(decodeBase64url(mac)).toHaveLength(32);
  for (const { port } of [second!, others!])
    await expect(port.operate("mac", { key, data })).rejects.toMatchObject({ code: "key-refused" });
  for (const { close } of instances) close();
});
