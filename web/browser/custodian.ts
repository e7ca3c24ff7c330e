/** The rest of the client, which a page that is not signed in does not need, in one piece: each that is loaded by itself compresses worse. */

import { Custodian, type CustodianOptions } from "../client/custodian.ts";
import type { Tell } from "../client/sign-in-host.ts";
import { listsOf } from "./lists.ts";
import { createUploadStore } from "./upload-store.ts";

export { openVault } from "./vault.ts";

/** Of a page, where uploads wait and lists are kept in the app's IndexedDB. */
export function createCustodian(vault: string, options: CustodianOptions, tell: Tell): Custodian {
  return new Custodian({
    ...options,
    uploads: () => createUploadStore(vault),
    lists: async () => listsOf(vault),
    onState: () => tell("state"),
    onQueue: (sent) => tell("queue", sent),
    onWait: (wait) => tell("waiting", wait),
    onStep: (step) => tell("step", step),
  });
}
