import { age } from "./age.ts";
import { awsNode } from "./aws.ts";
import { coffer } from "./coffer.ts";
import { libsodium } from "./libsodium.ts";
import { openpgp } from "./openpgp.ts";
import { opentdf } from "./opentdf.ts";
import type { Peer } from "./peer.ts";

/** Those that run in Node, by the names of their packages. */
export async function peersOfNode(): Promise<Record<string, Peer>> {
  return {
    coffer,
    "age-encryption": await age(),
    "@aws-crypto/client-node": await awsNode(),
    openpgp: await openpgp(),
    "libsodium-wrappers": await libsodium(),
    "@opentdf/client": await opentdf(),
  };
}
