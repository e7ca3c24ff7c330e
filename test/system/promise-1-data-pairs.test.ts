/** Promise 1 where data keys are RSA pairs, which an instance makes: neither their private halves nor the secrets of messages reach the edge. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import {
  canReadMemory,
  needle,
  scanBytes,
  scanDirectory,
  scanProcess,
  watchMemory,
} from "../memory/index.ts";
import { skipTest } from "../support/missing.ts";
import { needlesOf, useSystem, watchKeys, watchTraffic } from "./index.ts";

const system = useSystem({ level: "account", settings: () => ({ dataKeys: "RSA-3072" }) });
const traffic = watchTraffic();
const watched = watchKeys();
/** What the instance makes: of a private half one of its primes, of a secret its bytes. */
const made: { what: string; bytes: Buffer }[] = [];
let seen: Awaited<ReturnType<ReturnType<typeof watchMemory>["stop"]>> | null = null;

/** A key that was made to be wrapped, as this test alone has it. */
async function look(key: CryptoKey): Promise<Buffer> {
  const { subtle } = crypto;
  if (key.type === "secret") return Buffer.from(await subtle.exportKey("raw", key));
  const { p = "" } = await subtle.exportKey("jwk", key);
  return Buffer.from(p, "base64url");
}

beforeAll(async () => {
  const { generateKey } = SubtleCrypto.prototype;
  const watch = canReadMemory(system.pid) ? watchMemory(system.pid) : null;
  SubtleCrypto.prototype.generateKey = async function (this: SubtleCrypto, ...given: never[]) {
    const result = (await (generateKey as (...of: never[]) => Promise<CryptoKey | CryptoKeyPair>).apply(
      this,
      given,
    )) as CryptoKey | CryptoKeyPair;
    const key = "privateKey" in result ? result.privateKey : result;
    if (key.extractable && /^(RSA-OAEP|AES-GCM)$/.test(key.algorithm.name)) {
      const found = { what: key.type, bytes: await look(key) };
      made.push(found);
      watch?.add(needle(`${found.what} key`, found.bytes));
    }
    return result as never;
  } as typeof generateKey;
  try {
    const { appOrigin: app, vaultOrigin: vault, running } = system;
    const { rootKey } = running;
    for (const turn of [0, 1]) {
      const client = await connect({ app, vault, rootKey, user: "Ada" });
      const { documents, account } = client;
      if (turn === 0)
        await documents.seal(new TextEncoder().encode("a letter"), account(), { name: "letter.txt" });
      const [listed] = await documents.list([account()]);
      const { stream } = await documents.open(listed!.id, { account: account() });
      expect(await new Response(stream).text()).toBe("a letter");
      client.close();
    }
  } finally {
    SubtleCrypto.prototype.generateKey = generateKey;
  }
  seen = watch && (await watch.stop());
});
afterAll(() => {
  traffic.stop();
  watched.stop();
});

const needles = () => [
  ...made.map(({ what, bytes }, index) => needle(`${what} key ${index}`, bytes)),
  ...needlesOf(watched.keys),
];

it("Promise 1 with pairs of data keys: KMIP traffic, Durable Objects, R2 and the log hold none of their keys", () => {
  // Of the pair one, and a secret for its version and for content and metadata.
  expect(made.filter(({ what }) => what === "private").map(({ bytes }) => bytes.length)).toEqual([192]);
  expect(made.filter(({ what }) => what === "secret").length).toBeGreaterThanOrEqual(3);
  expect(scanBytes(traffic.bytes(), needles(), "KMIP")).toEqual([]);
  expect(scanDirectory(system.dir, needles()).findings).toEqual([]);
  expect(scanBytes(Buffer.from(system.log()), needles(), "log")).toEqual([]);
  const [first] = made;
  const planted = Buffer.concat([traffic.bytes(), first!.bytes]);
  expect(scanBytes(planted, [needle("planted", first!.bytes)])).toHaveLength(1);
});

it("Promise 1 with pairs of data keys: the memory of workerd holds none while documents are sealed and opened", (context) => {
  if (!seen) return skipTest(context, "the memory of workerd cannot be read here");
  expect(seen.findings).toEqual([]);
  expect(seen.scanned).toBeGreaterThan(50_000_000);
  expect(scanProcess(system.pid, needles()).findings).toEqual([]);
});
