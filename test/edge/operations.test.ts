import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem();
const data = encodeBase64url(utf8("what is vouched for"));
let client: Client;

const join = (user: string) =>
  connect({
    ...{ app: system.appOrigin, vault: system.vaultOrigin },
    ...{ rootKey: system.running.rootKey, user },
  });

beforeAll(async () => {
  client = await join("Ada");
});
afterAll(() => client?.close());

it("M17 does operations with keys that the KMS had the HSM make, each by its kind", async () => {
  const account = client.account();
  const [key, macKey] = await Promise.all([
    client.keys.make(account, "AES-256-GCM-HKDF-SHA512-COMMIT-KEY"),
    client.keys.make(account, "HMAC-SHA256-HKDF-SHA512"),
  ]);
  const { port } = await client.microservice.use();
  const context = { tenant: client.identity.tenant, account, purpose: "data" };
  const { message } = await port.operate("encrypt", { key, context, data });
  const { mac } = await port.operate("mac", { key: macKey, data: message });
  expect(await port.operate("macVerify", { key: macKey, data: message, mac })).toEqual({ valid: true });
  await expect(port.operate("mac", { key, data })).rejects.toMatchObject({ code: "forbidden" });

  // Another instance of the same user gets the same keys by their EDKs alone.
  const other = await join("Ada");
  try {
    const { port: elsewhere } = await other.microservice.use();
    await Promise.all([other.keys.ensure(key), other.keys.ensure(macKey)]);
    expect(await elsewhere.operate("mac", { key: macKey, data: message })).toEqual({ mac });
    expect(await elsewhere.operate("decrypt", { context, message })).toEqual({ data });
  } finally {
    other.close();
  }
});
