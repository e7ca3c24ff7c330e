import { WorkerEntrypoint } from "cloudflare:workers";
import { Accounts } from "./accounts.ts";
import { Addresses } from "./addresses.ts";
import type { Arguments } from "./arguments.ts";

/** The IAM's door for the datastore: whether a caller is a member of an account. */
export class IamForDatastore extends WorkerEntrypoint<Env> {
  readonly #accounts = new Accounts(new Addresses(this.env));

  member(...given: Arguments<Accounts, "member">) {
    return this.#accounts.member(...given);
  }
}
