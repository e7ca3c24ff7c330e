import { expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import { DataKeys } from "./keys.ts";
import type { EnrolledMicroservice, Microservice } from "./microservice.ts";
import type { RestClient } from "./rest.ts";

/** An edge that numbers its keys, and a microservice that holds what was loaded. */
function setup(refuse: (certificate: string) => CofferError | undefined = () => undefined, level?: "master") {
  const calls: string[] = [];
  const loaded = new Set<string>();
  const handed: object[] = [];
  let made = 0;
  let instance = 1;
  const asked: string[] = [];
  const rest = {
    json: async (
      _method: string,
      path: string,
      { json }: { json: { edk: string; certificate: string; count: number } },
    ) => {
      calls.push(path);
      if (path === "/kms/data-keys")
        return { edks: Array.from({ length: json.count }, () => `edk-${++made}`) };
      const refused = refuse(json.certificate);
      if (refused) throw refused;
      return { wrappedKey: `wrapped-${json.edk}`, receipt: `for-${json.certificate}` };
    },
  } as unknown as Pick<RestClient, "json">;
  const port = {
    has: async (edk: string) => {
      asked.push(edk);
      return loaded.has(edk);
    },
    load: async (of: { edk: string }) => {
      handed.push(of);
      loaded.add(of.edk);
    },
    prefetch: async (account: string) => void calls.push(`prefetch ${account}`),
  };
  const enrolled = () =>
    ({
      port,
      instance: { id: `i${instance}`, wrappingCertificate: `cert-${instance}`, level },
    }) as unknown as EnrolledMicroservice;
  const microservice: Pick<Microservice, "use" | "renew"> = {
    use: async () => enrolled(),
    renew: async (stale) => {
      if (stale === `i${instance}`) instance++;
      return enrolled();
    },
  };
  return { keys: new DataKeys(rest, microservice), calls, loaded, handed, asked };
}

it("gives each fresh key once, loaded, and has the next one loaded ahead", async () => {
  const { keys, calls, loaded } = setup();
  const first = (await keys.take("a"))!;
  expect(loaded.has(first)).toBe(true);
  await expect.poll(() => loaded.size).toBe(2);
  const before = calls.length;
  const second = await keys.take("a");
  expect(second).not.toBe(first);
  // Nothing had to be asked for: it was there.
  expect(calls.slice(0, before).filter((path) => path === "/kms/data-keys")).toHaveLength(1);
  const many = await Promise.all(Array.from({ length: 10 }, () => keys.take("a")));
  expect(new Set([first, second, ...many]).size).toBe(12);
});

it("has more than one batch of keys ahead where many are wanted", async () => {
  const { keys, loaded } = setup();
  await keys.take("a");
  await Promise.all(Array.from({ length: 10 }, () => keys.take("a")));
  await expect.poll(() => loaded.size).toBe(4 + 16 + 16);
});

it("asks the microservice once whether it has a key that one document is sealed by", async () => {
  const { keys, asked } = setup();
  const edk = (await keys.take("a"))!;
  for (let at = 0; at < 3; at++) await keys.ensure(edk);
  expect(asked.filter((each) => each === edk)).toHaveLength(1);
});

it("M11 has the instance ask for what the KMS retains, and asks for no such key itself", async () => {
  const { keys, calls, handed } = setup();
  const part = (value: object) => encodeBase64url(utf8(JSON.stringify(value)));
  const said = { wrapping: "retained", account: "a", keyId: "k", keyVersion: 2 };
  await keys.ensure(`${part({})}.${part(said)}.c2ln`);
  expect(calls).toEqual([]);
  expect(handed).toEqual([{ way: "retained", account: "a", keys: ["k.2"] }]);
});

it("loads a known key once, also when several ask, and not at all when the ring has it", async () => {
  const { keys, calls } = setup();
  await Promise.all([keys.ensure("x"), keys.ensure("x"), keys.ensure("x")]);
  await keys.ensure("x");
  expect(calls).toEqual(["/kms/loads"]);
});

it("enrols again when the registry has forgotten the instance, and tries once more", async () => {
  const { keys, loaded } = setup((certificate) =>
    certificate === "cert-1" ? new CofferError("not-recipient", { status: 403 }) : undefined,
  );
  await keys.ensure("x");
  expect(loaded.has("x")).toBe(true);
  const { keys: hopeless } = setup(() => new CofferError("not-recipient", { status: 403 }));
  await expect(hopeless.ensure("x")).rejects.toMatchObject({ code: "not-recipient" });
  // A failure is not remembered.
  await expect(hopeless.ensure("x")).rejects.toMatchObject({ code: "not-recipient" });
});

it("leaves keys to an instance at level master, and lets it prepare", async () => {
  const { keys, calls } = setup(undefined, "master");
  expect(await keys.take("a")).toBeUndefined();
  await keys.ensure("x");
  expect(calls).toEqual([]);
  await keys.prepare("a");
  expect(calls).toEqual(["prefetch a"]);
});

it("W11 uses no key that was fetched ahead, or asked for, before the account had another one", async () => {
  const { keys } = setup();
  expect(await keys.take("a")).toBe("edk-1");
  keys.discard("a");
  // 2 to 4 are under the key before; so are those that are on their way when the next rotation comes.
  const asked = keys.take("a");
  await Promise.resolve();
  keys.discard("a");
  expect(Number((await asked)?.slice(4))).toBeGreaterThan(8);
});

it("M21 brings a key to the microservice in which the caller goes on, whichever has taken its place meanwhile", async () => {
  const { keys, calls, loaded } = setup();
  const before: string[] = [];
  const port = {
    has: async (edk: string) => before.includes(edk),
    load: async ({ edk }: { edk: string }) => void before.push(edk),
  };
  const old = {
    port,
    instance: { id: "old", wrappingCertificate: "cert-old" },
  } as unknown as EnrolledMicroservice;
  await keys.ensure("x");
  await Promise.all([keys.ensure("x", undefined, old), keys.ensure("x", undefined, old)]);
  expect([before, [...loaded]]).toEqual([["x"], ["x"]]);
  expect(calls, "once for each").toEqual(["/kms/loads", "/kms/loads"]);
});
