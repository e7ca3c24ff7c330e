import { WorkerEntrypoint } from "cloudflare:workers";
import { Accounts } from "./accounts.ts";
import { Addresses } from "./addresses.ts";
import { Administrators } from "./administrators.ts";
import type { Arguments } from "./arguments.ts";

/** The IAM's door for the datastore: whether a caller is a member of an account, or an admin. */
export class IamForDatastore extends WorkerEntrypoint<Env> {
  readonly #at = new Addresses(this.env);
  readonly #accounts = new Accounts(this.#at);
  readonly #administrators = new Administrators(this.#at, this.#accounts);

  member(...given: Arguments<Accounts, "member">) {
    return this.#accounts.member(...given);
  }

  /** Whether an account that something is shared with is there. */
  receives(...given: Arguments<Accounts, "receives">) {
    return this.#accounts.receives(...given);
  }

  /** Who sees and sets an account's quota is an admin. */
  administratorOf(...given: Arguments<Administrators, "administratorOf">) {
    return this.#administrators.administratorOf(...given);
  }
}
