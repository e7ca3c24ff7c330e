/** Failed attempts to authenticate, by the channel's identity: so many in a while, and one at a time. */

const MAX_FAILURES = 8;
const WHILE = 5 * 60_000;

interface Tried {
  failures: number[];
  turn: Promise<unknown>;
}

export class Attempts {
  #tried = new Map<string, Tried>();

  /** Runs the attempt in its turn, and returns what it does: undefined is a failure, or one too many before it. */
  async attempt<T>(
    channel: string,
    now: Date,
    attempt: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    this.#forget(now);
    const tried = this.#tried.get(channel) ?? { failures: [], turn: Promise.resolve() };
    this.#tried.set(channel, tried);
    const turn = tried.turn.then(async () => {
      if (tried.failures.length >= MAX_FAILURES) return undefined;
      const result = await attempt();
      if (result === undefined) tried.failures.push(now.getTime());
      return result;
    });
    tried.turn = turn.catch(() => {});
    return turn;
  }

  #forget(now: Date): void {
    for (const tried of this.#tried.values())
      tried.failures = tried.failures.filter((at) => now.getTime() - at < WHILE);
  }
}
