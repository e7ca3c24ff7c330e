/** Who may read the audit: an owner that of the account, everybody their own, an auditor the tenant's. Each reading is a decision. */

import type { AuditEntry } from "#protocol/contract/index.ts";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";
import type { Accounts } from "./accounts.ts";
import type { Addresses } from "./addresses.ts";

/** What the door needs of its neighbour. */
interface Neighbours {
  AUDIT: {
    auditPage(of: {
      tenant: string;
      subject: string | null;
      before: string | null;
    }): Promise<{ entries: AuditEntry[]; before?: string }>;
  };
}

export class AuditReaders {
  readonly #at: Addresses;
  readonly #accounts: Accounts;

  constructor(at: Addresses, accounts: Accounts) {
    this.#at = at;
    this.#accounts = accounts;
  }

  /** `GET /audit`. Errors: `invalid-token`, `forbidden`. */
  async read(
    caller: Caller,
    subject: string | null,
    before: string | null,
  ): Promise<Result<{ entries: AuditEntry[]; before?: string }>> {
    const signedIn = await this.#accounts.kept(caller);
    if (!signedIn.ok) return fail(signedIn.problem.code);
    const allowed = await this.#decide(caller, subject, signedIn.value.roles.includes("auditor"));
    if (!allowed.ok) return allowed;
    const AUDIT: Neighbours["AUDIT"] = this.#at.env.AUDIT_FOR_IAM;
    return ok(await AUDIT.auditPage({ tenant: caller.tenant, subject, before }));
  }

  /** The object decides that knows: the tenant's who is an auditor, an account's who owns it, a person's that it is that person. */
  async #decide(caller: Caller, subject: string | null, auditor: boolean): Promise<Result<null>> {
    const { tenant, user } = caller;
    const page = caller.client === this.#at.tenant(tenant).apps[0]?.id;
    if (subject === user) return this.#at.principal(tenant, user).readAudit(caller, page);
    if (subject === null || auditor) return this.#at.object(tenant).readAudit({ caller, page, subject });
    return this.#at.account(tenant, subject).readAudit(caller, page);
  }
}
