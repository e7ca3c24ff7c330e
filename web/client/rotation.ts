/** The rotation of a tenant's master key over its accounts (W12), as those who administer it begin and watch it. */

import { beginRotation, type RotationProgress, readRotation } from "#protocol/contract/index.ts";
import { callJson } from "./call.ts";
import type { RestClient } from "./rest.ts";

export type { RotationProgress };

export class Rotation {
  readonly #rest: Pick<RestClient, "json">;

  constructor(rest: Pick<RestClient, "json">) {
    this.#rest = rest;
  }

  /**
   * Has all account keys moved under the master key that the HSM has now, in the background. What has failed is tried again.
   * Errors: `forbidden` for who is no admin, `strict-tenant`, `hsm-refused`.
   *
   * @example
   * const { all, moved } = await coffer.administer((admin) => admin.rotation.begin());
   */
  begin(): Promise<RotationProgress> {
    return callJson(this.#rest, beginRotation, {}, undefined, { tries: 3 });
  }

  /** How far it is. Without `master` none was begun. Errors: `forbidden`. */
  read(signal?: AbortSignal): Promise<RotationProgress> {
    return callJson(this.#rest, readRotation, {}, undefined, signal ? { signal } : {});
  }
}
