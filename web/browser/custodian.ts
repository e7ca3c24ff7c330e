/** The rest of the client, which a page that is not signed in does not need, in one piece: each that is loaded by itself compresses worse. */

import { Custodian, type CustodianOptions } from "../client/custodian.ts";
import { bySecretZero } from "../client/secret-zero.ts";
import type { Identity } from "../client/sign-in.ts";
import type { Tell } from "../client/sign-in-host.ts";
import type { Vault } from "../client/vault.ts";
import { listsOf } from "./lists.ts";
import { createUploadStore } from "./upload-store.ts";

export { openVault } from "./vault.ts";

export type OwnMicroservice = (identity: Identity) => Vault | Promise<Vault>;

/**
 * Of a page, where uploads wait and lists are kept in the app's IndexedDB. `own`: its microservice is the app's own, which has no cookie of the
 * vault's, and is of the app's release.
 */
export function createCustodian(
  vault: string,
  own: OwnMicroservice | undefined,
  options: CustodianOptions,
  tell: Tell,
): Custodian {
  const custodian: Custodian = new Custodian({
    ...options,
    ...(own && {
      openVault: async () => own(custodian.signedIn),
      enrolment: () => bySecretZero(custodian.rest, custodian.signedIn.custodian.dn),
      releases: Number.POSITIVE_INFINITY,
    }),
    uploads: () => createUploadStore(vault),
    lists: async () => listsOf(vault),
    onState: () => tell("state"),
    onQueue: (sent) => tell("queue", sent),
    onWait: (wait) => tell("waiting", wait),
    onStep: (step) => tell("step", step),
  });
  return custodian;
}
