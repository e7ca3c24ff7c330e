import { WorkerEntrypoint } from "cloudflare:workers";
import { ok, type Result } from "../result.ts";

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

  #object({ tenant, account }: { tenant: string; account: string }) {
    return this.env.DATASTORE_ACCOUNT_OBJECT.getByName(`${tenant}/${account}`);
  }
}
