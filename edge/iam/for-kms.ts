import { WorkerEntrypoint } from "cloudflare:workers";
import { Accounts } from "./accounts.ts";
import { Addresses } from "./addresses.ts";
import { Administrators } from "./administrators.ts";
import type { Arguments } from "./arguments.ts";

/** The IAM's door for the KMS: whether a caller may, and Enc(account) for what the caller asks of the KMS. */
export class IamForKms extends WorkerEntrypoint<Env> {
  readonly #at = new Addresses(this.env);
  readonly #accounts = new Accounts(this.#at);
  readonly #administrators = new Administrators(this.#at, this.#accounts);

  member(...given: Arguments<Accounts, "member">) {
    return this.#accounts.member(...given);
  }

  signedIn(...given: Arguments<Accounts, "signedIn">) {
    return this.#accounts.signedIn(...given);
  }

  accountKey(...given: Arguments<Accounts, "accountKey">) {
    return this.#accounts.accountKey(...given);
  }

  /** Documents that are shared go under the key of the account that they are shared with. */
  receivingKey(...given: Arguments<Accounts, "receivingKey">) {
    return this.#accounts.receivingKey(...given);
  }

  /** What an account has shared is given out as long as the account is there. */
  receives(...given: Arguments<Accounts, "receives">) {
    return this.#accounts.receives(...given);
  }

  encryptedAccountKey(...given: Arguments<Accounts, "encryptedAccountKey">) {
    return this.#accounts.encryptedAccountKey(...given);
  }

  /** W12: the KMS goes through all accounts once the master key was replaced. */
  followMaster(...given: Arguments<Accounts, "followMaster">) {
    return this.#accounts.followMaster(...given);
  }

  /** W12: how many accounts are not on the KMS's list yet. */
  unlisted(...given: Arguments<Accounts, "unlisted">) {
    return this.#accounts.unlisted(...given);
  }

  /** Who changes policies or rotates keys of the tenant is an admin. */
  administrator(...given: Arguments<Administrators, "administrator">) {
    return this.#administrators.administrator(...given);
  }
}
