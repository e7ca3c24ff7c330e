import type { AccountRole } from "#protocol/roles.ts";
import type { Caller } from "../caller.ts";
import type { Member } from "../person.ts";
import type { Result } from "../result.ts";

/** How long the IAM's word is good for the parts of an upload. Milliseconds. */
const KEPT_MS = 5000;
/** Custodians whose answers are kept at a time. */
const MAX_KEPT = 1000;

/**
 * Who may act for the account, as the IAM says. It is asked at each request, except for parts of uploads: there its last
 * word is good for a few seconds, and until somebody leaves or the account is shredded.
 */
export class Members {
  readonly #ask: (caller: Caller) => Promise<Result<Pick<Member, "as">>>;
  readonly #now: () => number;
  /** When the IAM said yes, by custodian. */
  readonly #kept = new Map<string, { user: string; until: number; as: AccountRole }>();
  /** How often an answer was ended: one that was on its way then is not good any more. */
  #ended = 0;

  constructor(ask: (caller: Caller) => Promise<Result<Pick<Member, "as">>>, now: () => number = Date.now) {
    this.#ask = ask;
    this.#now = now;
  }

  async check(caller: Caller): Promise<Result<AccountRole>> {
    for (;;) {
      const ended = this.#ended;
      const asked = this.#now();
      const answer = await this.#ask(caller);
      if (ended !== this.#ended) continue;
      this.#keep(caller, answer.ok ? { until: asked + KEPT_MS, as: answer.value.as } : null);
      return answer.ok ? { ok: true, value: answer.value.as } : answer;
    }
  }

  async checkForPart(caller: Caller): Promise<Result<AccountRole>> {
    const kept = this.#kept.get(custodianOf(caller));
    return kept && this.#now() < kept.until ? { ok: true, value: kept.as } : this.check(caller);
  }

  /** Ends what is kept of a user, or of all. */
  end(user?: string): void {
    this.#ended++;
    for (const [custodian, kept] of this.#kept)
      if (user === undefined || kept.user === user) this.#kept.delete(custodian);
  }

  #keep(caller: Caller, word: { until: number; as: AccountRole } | null): void {
    const custodian = custodianOf(caller);
    this.#kept.delete(custodian);
    if (word === null) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size >= MAX_KEPT) this.#kept.delete(oldest);
    this.#kept.set(custodian, { user: caller.user, ...word });
  }
}

function custodianOf({ tenant, user, client, jkt }: Caller): string {
  return JSON.stringify([tenant, user, client, jkt]);
}
