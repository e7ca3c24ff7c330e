import { createHash, randomBytes } from "node:crypto";

/** What a code stands for. */
export type Granted = {
  client: string;
  redirectUri: string;
  challenge: string;
  nonce: string | null;
  name: string;
  /** When the person typed the name, seconds since 1970. */
  authenticated: number;
};

const LIFE_MS = 60_000;
/** Codes that wait: more than a developer's machine ever has. */
const MAXIMUM = 10_000;

/** Authorization codes, each good once (RFC 6749 §4.1.2). */
export class Codes {
  readonly #waiting = new Map<string, Granted & { until: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  issue(granted: Granted): string {
    const code = randomBytes(32).toString("base64url");
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= MAXIMUM && oldest !== undefined) this.#waiting.delete(oldest);
    this.#waiting.set(code, { ...granted, until: this.#now() + LIFE_MS });
    return code;
  }

  /** Uses a code up, then looks whether it fits. Null where it does not. */
  redeem(
    code: string,
    by: { client: string; redirectUri: string; verifier: string; reusable: boolean },
  ): Granted | null {
    const granted = this.#waiting.get(code);
    if (!by.reusable) this.#waiting.delete(code);
    if (granted === undefined || !(this.#now() < granted.until)) return null;
    const challenge = createHash("sha256").update(by.verifier).digest("base64url");
    const fits =
      granted.client === by.client &&
      granted.redirectUri === by.redirectUri &&
      granted.challenge === challenge;
    return fits ? granted : null;
  }
}
