/** The registration authority as the instance sees it: REST on the instance's own origin, where its cookie counts. */
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

export type Registration = {
  /** Opens a session; `nonce` is base64url. */
  open(): Promise<{ id: string; nonce: string }>;
  redeem(id: string, body: Record<string, string>): Promise<Enrolled>;
};

const MAX_ANSWER = 64 * 1024;
const base64url = (limit: number) => new RegExp(`^[A-Za-z0-9_-]{1,${limit}}$`);

/** REST over `fetch`, bound to `origin`. Errors: the problem's code, `offline`, `answer-invalid`. */
export function restRegistration(fetch: typeof globalThis.fetch, origin: string): Registration {
  async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(new URL(path, origin), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
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
    async open() {
      const { id, nonce } = await post("/ra/enrolments", {});
      return { id: text(id, /^[A-Za-z0-9_-]{1,128}$/), nonce: text(nonce, base64url(128)) };
    },
    async redeem(id, body) {
      const answer = await post(`/ra/enrolments/${encodeURIComponent(id)}`, body);
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
