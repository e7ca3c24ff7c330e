/** What happened in the last operations, as the kit tells it step by step, and what the vault has asked by itself. */

import type { Coffer, Held, OperationName, Step } from "#web/browser/index.ts";

/** Operations that are kept, and steps of each: older ones go first. */
const MAX_FLOWS = 10;
const MAX_STEPS = 200;
const MAX_ASKED = 128;

type Message = Extract<Step, { step: "vault" | "server" }>;

/** One operation, or several that were under way together: then nobody can say whose a step was. */
export type Flow = {
  operations: OperationName[];
  /** Milliseconds since 1970; `ended` once none of them is under way. */
  began: number;
  ended?: number;
  messages: Message[];
  /** How many more there were than are kept. */
  more: number;
};

export class FlowLog extends EventTarget {
  readonly #flows: Flow[] = [];
  readonly #underWay = new Set<number>();
  #coffer: Coffer | undefined;
  #held: Held["keys"] = [];
  #asked: Held["asked"] = [];

  /** Follows a connection, once. */
  start(coffer: Coffer): void {
    if (this.#coffer === coffer) return;
    this.#coffer = coffer;
    coffer.addEventListener("step", (event) => this.#take((event as CustomEvent<Step>).detail));
  }

  /** Nobody is signed in any more. */
  clear(): void {
    this.#flows.length = 0;
    this.#underWay.clear();
    this.#held = [];
    this.#asked = [];
  }

  /** The newest first. */
  get flows(): readonly Flow[] {
    return this.#flows.toReversed();
  }

  /** Keys that the vault held when it was asked last. */
  get held(): Held["keys"] {
    return this.#held;
  }

  /** What the vault asked by itself while this was under way. */
  askedDuring({ began, ended = Number.POSITIVE_INFINITY }: Flow): Held["asked"] {
    return this.#asked.filter(({ at }) => at >= began && at <= ended);
  }

  /** Asks the vault, and nobody else, what it holds and has asked. */
  async look(): Promise<void> {
    await this.#look();
  }

  /** Has the vault let go of the keys that it holds. What it says on the way of what it has asked, it says once: that is kept as by `look`. */
  async drop(): Promise<void> {
    const held = await this.#look();
    await held?.drop();
  }

  async #look(): Promise<Held | undefined> {
    if (!this.#coffer) return undefined;
    const held = await this.#coffer.manage((life) => life.held());
    this.#held = held.keys;
    this.#asked = [...this.#asked, ...held.asked].slice(-MAX_ASKED);
    return held;
  }

  #take(step: Step): void {
    const last = this.#flows.at(-1);
    if (step.step === "begin") {
      if (this.#underWay.size > 0 && last) last.operations.push(step.operation);
      else {
        this.#flows.push({ operations: [step.operation], began: step.at, messages: [], more: 0 });
        if (this.#flows.length > MAX_FLOWS) this.#flows.shift();
      }
      this.#underWay.add(step.id);
    } else if (step.step === "end") {
      this.#underWay.delete(step.id);
      if (last && this.#underWay.size === 0) last.ended = step.at;
    } else if (isLook(step)) {
      // Looking is no part of what is looked at.
      return;
    } else if (last && step.at >= last.began && step.at <= (last.ended ?? step.at)) {
      if (last.messages.length < MAX_STEPS) last.messages.push(step);
      else last.more++;
    }
    this.dispatchEvent(new Event("change"));
  }
}

function isLook(step: Message): boolean {
  return step.step === "vault" ? step.what === "standing" : step.what.endsWith("/kept-keys");
}

/** The page's own. */
export const flowLog = new FlowLog();
