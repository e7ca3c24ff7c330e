import { WorkerEntrypoint } from "cloudflare:workers";
import type { Result } from "../result.ts";
import { Accounts } from "./accounts.ts";
import { Addresses } from "./addresses.ts";
import { Administrators } from "./administrators.ts";
import type { Arguments } from "./arguments.ts";
import type { Custodian } from "./types.ts";

/** The IAM's door for the registration authority: whom an instance would serve. */
export class IamForRa extends WorkerEntrypoint<Env> {
  readonly #at = new Addresses(this.env);
  readonly #accounts = new Accounts(this.#at);
  readonly #administrators = new Administrators(this.#at, this.#accounts);

  /** M5: the user's registered custodian with this name and DPoP key. */
  async custodian(wanted: {
    tenant: string;
    user: string;
    dn: string;
    jkt: string;
  }): Promise<Result<Custodian>> {
    const settings = await this.#at.settings(wanted.tenant);
    return this.#at.principal(wanted.tenant, wanted.user).custodian(wanted, settings);
  }

  signedIn(...given: Arguments<Accounts, "signedIn">) {
    return this.#accounts.signedIn(...given);
  }

  /** Who sees and ends instances of others is an admin. */
  administrator(...given: Arguments<Administrators, "administrator">) {
    return this.#administrators.administrator(...given);
  }
}
