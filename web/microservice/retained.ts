/** Loading of keys that the KMS retains (M11): the instance asks for them itself, with a proof by its identity key, page by page. */

import { encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { CofferError } from "#protocol/error.ts";
import { type HandedOf, type LoadOf, type RetainedRequest, retainedInput } from "#protocol/keys/index.ts";
import type { Crypto } from "./crypto.ts";
import { signWith } from "./keys.ts";
import type { KeyServer } from "./presentation.ts";
import type { InstanceRecord } from "./store.ts";

/** Pages of one call, of a hundred keys each. */
const MAX_PAGES = 10;

/** Those that were named, or all that the instance is entitled to. Errors: those of the KMS. */
export async function retainedKeys(
  { subtle, random, record, now }: Crypto & { record: InstanceRecord; now: number },
  { way: _, keys, ...whose }: HandedOf<"retained">,
  server: KeyServer,
): Promise<LoadOf<"rewrap">[]> {
  const loads: LoadOf<"rewrap">[] = [];
  let after: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const said: Omit<RetainedRequest, "proof"> = {
      ...{ instance: record.id, custodian: record.custodian, ...whose },
      identityCertificate: encodeBase64url(record.identityCertificate),
      jti: encodeBase64url(random(new Uint8Array(16))),
      iat: seconds(now),
      ...(keys && { keys }),
      ...(after !== undefined && { after }),
    };
    const proof = encodeBase64url(await signWith(subtle, record.identityKey, await retainedInput(said)));
    const answer = await server.retained({ ...said, proof });
    loads.push(...answer.keys.map((key) => ({ way: "rewrap" as const, ...key })));
    if (answer.next === undefined) return loads;
    after = answer.next;
  }
  throw new CofferError("too-large");
}
