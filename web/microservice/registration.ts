/** The edge as the instance sees it, registration authority and session: REST on its own origin, where its cookie counts. */
import { CofferError } from "#protocol/error.ts";

/** As the RA answers; checked field by field before anything is believed. */
export type Enrolled = {
  instance: string;
  method: string;
  identityCertificate: string;
  wrappingCertificate: string;
  chain: string[];
  trust: string;
  custodian: string;
  origin: string;
};

/** Whom the vault's cookie stands for. */
export type Session = { tenant: string; user: string };

export type Registration = {
  /** Errors: `no-session` when nobody is signed in at the vault, `offline` without a network. */
  session(): Promise<Session>;
  /** Opens a session; `nonce` is base64url. */
  open(): Promise<{ id: string; nonce: string }>;
  redeem(id: string, body: Record<string, string>): Promise<Enrolled>;
};

const MAX_ANSWER = 64 * 1024;
const base64url = (limit: number) => new RegExp(`^[A-Za-z0-9_-]{1,${limit}}$`);

/** REST over `fetch`, bound to `origin`. Errors: the problem's code, `offline`, `answer-invalid`. */
export function restRegistration(fetch: typeof globalThis.fetch, origin: string): Registration {
  async function ask(path: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(new URL(path, origin), {
      ...(body === undefined
        ? {}
        : {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body),
          }),
      credentials: "same-origin",
      redirect: "error",
      cache: "no-store",
      referrerPolicy: "no-referrer",
    }).catch((cause: unknown) => Promise.reject(new CofferError("offline", undefined, { cause })));
    const text = await response.text();
    let answer: unknown;
    try {
      answer = text.length <= MAX_ANSWER ? JSON.parse(text) : undefined;
    } catch {
      answer = undefined;
    }
    const fields = (typeof answer === "object" && answer !== null ? answer : {}) as Record<string, unknown>;
    if (!response.ok) {
      const { code } = fields;
      throw new CofferError(
        typeof code === "string" && /^[a-z][a-z0-9-]{0,63}$/.test(code) ? code : "answer-invalid",
      );
    }
    return fields;
  }

  return {
    async session() {
      const { tenant, user } = await ask("/session");
      // As the IAM forms them: nothing in them could be read as another part of a Distinguished Name.
      const plain = /^[a-z0-9][a-z0-9-]{0,62}$/;
      return { tenant: text(tenant, plain), user: text(user, plain) };
    },
    async open() {
      const { id, nonce } = await ask("/ra/enrolments", {});
      return { id: text(id, /^[A-Za-z0-9_-]{1,128}$/), nonce: text(nonce, base64url(128)) };
    },
    async redeem(id, body) {
      const answer = await ask(`/ra/enrolments/${encodeURIComponent(id)}`, body);
      if (!Array.isArray(answer.chain) || answer.chain.length > 4) throw new CofferError("answer-invalid");
      return {
        instance: text(answer.instance, /^[A-Za-z0-9_-]{1,128}$/),
        method: text(answer.method, /^[a-z-]{1,32}$/),
        identityCertificate: text(answer.identityCertificate, base64url(8192)),
        wrappingCertificate: text(answer.wrappingCertificate, base64url(8192)),
        chain: answer.chain.map((certificate) => text(certificate, base64url(8192))),
        trust: text(answer.trust, /^[A-Za-z0-9_.-]{1,8192}$/),
        custodian: text(answer.custodian, /^.{1,1024}$/),
        origin: text(answer.origin, /^.{1,512}$/),
      };
    },
  };
}

function text(value: unknown, pattern: RegExp): string {
  if (typeof value !== "string" || !pattern.test(value)) throw new CofferError("answer-invalid");
  return value;
}
