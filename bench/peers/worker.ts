/** The Worker of the benchmark page in which the peers run. */

import { pattern } from "../documents/measure.ts";
import { age } from "./age.ts";
import { awsBrowser } from "./aws-browser.ts";
import { coffer } from "./coffer.ts";
import { libsodium } from "./libsodium.ts";
import { openpgp } from "./openpgp.ts";
import { opentdf } from "./opentdf.ts";
import { type Peer, turn } from "./peer.ts";

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data }) => {
  const peers: Record<string, Peer> = {
    coffer,
    "age-encryption": await age(),
    "@aws-crypto/client-browser": await awsBrowser(),
    openpgp: await openpgp(),
    "libsodium-wrappers": await libsodium(),
    "@opentdf/client": await opentdf(),
  };
  scope.postMessage(await turn(pattern((data as { size: number }).size), peers));
};
