import { type TrustList, verifyTrustList } from "#protocol/keys/index.ts";
import { type Authority, keyEncipherment, makeAuthority, START } from "../authority.fixture.ts";
import { captureCrypto } from "../crypto.ts";
import { generateInstanceKeys, type InstanceKeys } from "../keys.ts";
import { appKeysInMemory } from "./hierarchy.fixture.ts";
import { Ladder, type LadderOptions } from "./index.ts";

/** What an instance has once it has enrolled, and who certified it. `certificate`: that of its wrapping key. */
export type TestInstance = {
  authority: Authority;
  keys: InstanceKeys;
  certificate: Uint8Array<ArrayBuffer>;
  trust: TrustList;
};

export async function testInstance(): Promise<TestInstance> {
  const authority = await makeAuthority();
  const keys = await generateInstanceKeys(crypto.subtle);
  const certificate = await authority.leaf(keys.wrappingSpki, keyEncipherment);
  const trust = await verifyTrustList(await authority.trustList(2), authority.root.spki, START / 1000);
  return { authority, keys, certificate, trust };
}

/** Its ladder at level `master`, at START, unless `of` says otherwise. `unwrapped` grows by each handle that it unwraps. */
export function testLadder(
  { keys: { wrappingKey }, certificate, trust }: TestInstance,
  of: Pick<LadderOptions, "authorities"> & Partial<LadderOptions>,
  unwrapped: CryptoKey[] = [],
): Ladder {
  const captured = captureCrypto(crypto);
  const unwrapKey = async (...parameters: Parameters<SubtleCrypto["unwrapKey"]>) => {
    const key = await captured.subtle.unwrapKey(...parameters);
    unwrapped.push(key);
    return key;
  };
  return new Ladder({
    crypto: { ...captured, subtle: { ...captured.subtle, unwrapKey } as typeof captured.subtle },
    ...{ level: "master", tenant: "acme", appKeys: appKeysInMemory() },
    ...{ trust, wrappingKey, wrappingCertificate: certificate },
    ...{ now: () => START, schedule: () => {}, timeToLive: 60_000 },
    ...of,
  });
}
