import { fail, ok, type Result } from "../result.ts";
import { changes, type KeptList, lastList, saysAll } from "./published.ts";
import type { Published } from "./types.ts";

/** After a list that could not be made, none is tried for so long, whoever asks. Seconds. */
export const RETRY_SECONDS = 15;

/** Answers one list as it is good now, and has another one made when it is time: one at a time, however many ask. */
export class Publisher {
  readonly #sql: SqlStorage;
  readonly #list: number;
  readonly #make: () => Promise<Result<null>>;
  readonly #now: () => number;
  #making: Promise<Result<null>> | undefined;
  #failed: { answer: Result<never>; at: number } | undefined;

  /** `make` has a list signed and keeps it. `now` in seconds since 1970. */
  constructor(sql: SqlStorage, list: number, make: () => Promise<Result<null>>, now: () => number) {
    this.#sql = sql;
    this.#list = list;
    this.#make = make;
    this.#now = now;
  }

  /** The list says all that was told before it was asked for; it is a new one also where half of its life is over. */
  async published(): Promise<Result<Published>> {
    const [told, now] = [changes(this.#sql, this.#list), this.#now()];
    const last = lastList(this.#sql, this.#list);
    if (
      last &&
      saysAll(this.#sql, this.#list, last, told, now) &&
      now < (last.thisUpdate + last.nextUpdate) / 2
    )
      return answer(last);
    const made = await this.#another();
    if (!made.ok) return this.#otherwise(made);
    const next = lastList(this.#sql, this.#list);
    if (next && saysAll(this.#sql, this.#list, next, told, now)) return answer(next);
    // That one was begun before something was revoked. The one after it was not.
    const again = await this.#another();
    const newest = lastList(this.#sql, this.#list);
    return again.ok && newest ? answer(newest) : this.#otherwise(again);
  }

  /** The list that is being made, or another one. */
  #another(): Promise<Result<null>> {
    if (this.#making) return this.#making;
    const since = this.#failed && this.#now() - this.#failed.at;
    if (this.#failed && since !== undefined && since >= 0 && since < RETRY_SECONDS)
      return Promise.resolve(withWait(this.#failed.answer, RETRY_SECONDS - since));
    this.#making = this.#make()
      .then((made) => {
        this.#failed = made.ok ? undefined : { answer: made, at: this.#now() };
        return made;
      })
      .finally(() => {
        this.#making = undefined;
      });
    return this.#making;
  }

  /** Could none be made, the last one counts as long as it says all. */
  #otherwise(made: Result<null>): Result<Published> {
    const [last, now] = [lastList(this.#sql, this.#list), this.#now()];
    if (
      last &&
      saysAll(this.#sql, this.#list, last, changes(this.#sql, this.#list), now) &&
      now < last.nextUpdate
    )
      return answer(last);
    if (made.ok) throw new Error("a list was made and is not kept");
    return made;
  }
}

/** Of a list that was made; "too-long" of one that is for a message to the HSM, which says nothing of others. */
export type Made = Result<null> | "too-long";

/** Has lists made one after the other, however many are asked for at once, and none for a while after one could not be made. */
export class Turns {
  readonly #make: (list: number) => Promise<Made>;
  readonly #now: () => number;
  #last: Promise<unknown> = Promise.resolve();
  #failed: { answer: Result<never>; at: number } | undefined;

  constructor(make: (list: number) => Promise<Made>, now: () => number) {
    this.#make = make;
    this.#now = now;
  }

  make(list: number): Promise<Result<null>> {
    const made = this.#last.then(() => this.#inTurn(list));
    this.#last = made.catch(() => undefined);
    return made;
  }

  async #inTurn(list: number): Promise<Result<null>> {
    const since = this.#failed && this.#now() - this.#failed.at;
    if (this.#failed && since !== undefined && since >= 0 && since < RETRY_SECONDS)
      return this.#failed.answer;
    const made = await this.#make(list);
    if (made === "too-long") return fail("hsm-refused");
    this.#failed = made.ok ? undefined : { answer: made, at: this.#now() };
    return made;
  }
}

function answer({ der, number, thisUpdate, nextUpdate }: KeptList): Result<Published> {
  return ok({ der, number, thisUpdate, nextUpdate });
}

function withWait(failed: Result<never>, retryAfter: number): Result<never> {
  return failed.ok ? failed : { ok: false, problem: { ...failed.problem, retryAfter } };
}
