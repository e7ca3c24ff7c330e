import { WorkerEntrypoint } from "cloudflare:workers";
import type { Identified, IdentifierAsk } from "../key-identifiers.ts";
import { ok, type Result } from "../result.ts";

/** What the IAM names here. */
type OfIam = { tenant: string; account: string; name: string; requestId: string };

/** The datastore's door for the IAM: who has left an account, and that one is shredded. */
export class DatastoreForIam extends WorkerEntrypoint<Env> {
  /** A user is no member of this account any more, or not signed in. From now on no part of an upload is taken on its earlier word. */
  async left(of: { tenant: string; account: string; user: string }): Promise<Result<null>> {
    await this.#object(of).left(of.user);
    return ok(null);
  }

  /** The account is shredded. Everything of it is refused from now on, and erased. */
  async shredded(of: { tenant: string; account: string; requestId: string }): Promise<Result<null>> {
    return this.#object(of).shredded(of.requestId);
  }

  /** W15: Enc(account), where the deployment has it on the app's side. */
  async keep(of: OfIam & { value: Uint8Array<ArrayBuffer> }): Promise<Result<null>> {
    return this.#object(of).keep(of.name, of.value, of.requestId);
  }

  async kept(of: OfIam): Promise<Result<Uint8Array<ArrayBuffer> | null>> {
    return this.#object(of).kept(of.name, of.requestId);
  }

  async forget(of: OfIam): Promise<Result<null>> {
    return this.#object(of).forget(of.name, of.requestId);
  }

  /** W15: the account's table of key identifiers, where the deployment has it on the app's side. */
  async keyIdentifiers(
    of: { tenant: string; account: string; requestId: string },
    asked: IdentifierAsk,
  ): Promise<Result<Identified>> {
    return this.#object(of).keyIdentifiers(asked, of.requestId);
  }

  #object({ tenant, account }: { tenant: string; account: string }) {
    return this.env.DATASTORE_ACCOUNT_OBJECT.getByName(`${tenant}/${account}`);
  }
}
