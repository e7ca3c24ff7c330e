/**
 * Questions of one object's requests to neighbours. Who asks the same while an answer is under way waits for the next answer, together with all who came
 * meanwhile: so many ask once. Nobody gets an answer to a question that was asked before they came, since what it
 * is about may have ended in between (docs/decisions/0091).
 */

import { within } from "../within.ts";
import type { Neighbours } from "./context.ts";

/** An answer that takes longer is not waited for: the next question goes out beside it. Milliseconds. */
const PATIENCE_MS = 2000;

export class Together {
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #next = new Map<string, Promise<unknown>>();

  /** `question`: all that the answer depends on. */
  ask<T>(question: string, ask: () => Promise<T>): Promise<T> {
    const next = this.#next.get(question);
    if (next) return next as Promise<T>;
    const underWay = this.#underWay.get(question);
    if (!underWay) return this.#begin(question, ask);
    const ended = underWay.then(
      () => undefined,
      () => undefined,
    );
    const later = within(PATIENCE_MS, ended, () => undefined).then(() => {
      this.#next.delete(question);
      return this.#begin(question, ask);
    });
    this.#next.set(question, later);
    return later;
  }

  #begin<T>(question: string, ask: () => Promise<T>): Promise<T> {
    const asked = ask();
    this.#underWay.set(question, asked);
    const end = () => {
      if (this.#underWay.get(question) === asked) this.#underWay.delete(question);
    };
    asked.then(end, end);
    return asked;
  }
}

/** The neighbours, of whom what every request asks is asked together. An answer is everybody's: it is not to be changed. */
export function askedTogether({ IAM, RA }: Neighbours, together: Together): Neighbours {
  return {
    IAM: {
      member: (of) => together.ask(questionOf("member", of), () => IAM.member(of)),
      accountKey: (of) => together.ask(questionOf("accountKey", of), () => IAM.accountKey(of)),
      receivingKey: (of) => IAM.receivingKey(of),
      receives: (of) => IAM.receives(of),
      encryptedAccountKey: (caller, account, id) => IAM.encryptedAccountKey(caller, account, id),
      unlisted: (of) => IAM.unlisted(of),
      signedIn: (caller) => IAM.signedIn(caller),
      administrator: (caller, resource) => IAM.administrator(caller, resource),
    },
    RA: {
      recipient: (of) => together.ask(`recipient ${JSON.stringify(of)}`, () => RA.recipient(of)),
      instance: (of) => RA.instance(of),
    },
  };
}

type OfCaller = { tenant: string; account: string; id?: string } & Parameters<Neighbours["IAM"]["member"]>[0];

/** Whoever the caller is, and whatever they have proved: all of it but which request it is. */
function questionOf(name: string, { caller, ...of }: OfCaller): string {
  const { requestId: _, http: _http, ...who } = caller;
  return `${name} ${JSON.stringify([of, who])}`;
}
