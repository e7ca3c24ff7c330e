/** The edge as the instance sees it, registration authority and session: REST on its own origin, where its cookie counts. */
import { concat } from "#protocol/bytes.ts";
import { CofferError } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import { delay as byTheClock, type Delay, patiently } from "#protocol/patience.ts";

/** As the RA answers; checked field by field before anything is believed. */
export type EnrolmentAnswer = {
  instance: string;
  method: string;
  identityCertificate: string;
  wrappingCertificate: string;
  chain: string[];
  trust: string;
  custodian: string;
  origin: string;
};

/** Whom the vault's cookie stands for. `session` names the session itself, from sign-in to sign-out. */
export type SessionOwner = { tenant: string; user: string; session: string };

export type Registration = {
  /** Errors: `no-session` when nobody is signed in at the vault, `offline` without a network. */
  session(): Promise<SessionOwner>;
  /** Opens a session; `nonce` is base64url. */
  open(): Promise<{ id: string; nonce: string }>;
  redeem(id: string, body: Record<string, string>): Promise<EnrolmentAnswer>;
};

const MAX_ANSWER = 64 * 1024;
const base64url = (limit: number) => new RegExp(`^[A-Za-z0-9_-]{1,${limit}}$`);

/** REST over `fetch`, bound to `origin`. Errors: the problem's code, `offline`, `answer-invalid`. */
export function restRegistration(
  fetch: typeof globalThis.fetch,
  origin: string,
  delay: Delay = byTheClock,
): Registration {
  async function ask(
    status: number,
    path: string,
    body?: unknown,
    repeatable = true,
  ): Promise<Record<string, unknown>> {
    const request = {
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
    } as const;
    const response = await patiently(() => fetch(new URL(path, origin), request), {
      repeatable,
      delay,
    }).catch(offline);
    const type = (response.headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
    const bytes = await bodyOf(response).catch(offline);
    // A captive portal or a proxy answers too: what is not of the type and status that is due is not the edge's.
    const fields = type === "application/json" || type === "application/problem+json" ? parse(bytes) : {};
    if (response.status >= 400) {
      const { code } = fields;
      throw new CofferError(
        typeof code === "string" && /^[a-z][a-z0-9-]{0,63}$/.test(code) ? code : "answer-invalid",
      );
    }
    if (response.status !== status || type !== "application/json") throw new CofferError("answer-invalid");
    return fields;
  }

  return {
    async session() {
      const { tenant, user, session } = await ask(200, "/session");
      // As the IAM forms them: nothing in them could be read as another part of a Distinguished Name.
      const plain = /^[a-z0-9][a-z0-9-]{0,62}$/;
      return { tenant: text(tenant, plain), user: text(user, plain), session: text(session, plain) };
    },
    async open() {
      const { id, nonce } = await ask(201, "/ra/enrolments", {});
      return { id: text(id, /^[A-Za-z0-9_-]{1,128}$/), nonce: text(nonce, base64url(128)) };
    },
    async redeem(id, body) {
      // Whatever comes of it, session and grant are used up once the RA has seen them.
      const answer = await ask(200, `/ra/enrolments/${encodeURIComponent(id)}`, body, false);
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

function offline(cause: unknown): never {
  throw new CofferError("offline", undefined, { cause });
}

/** A body of at most `MAX_ANSWER` bytes; of a longer one no more is read. */
async function bodyOf(response: Response): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length;
    chunks.push(read.value);
    if (length <= MAX_ANSWER) continue;
    await reader.cancel().catch(() => {});
    return new Uint8Array();
  }
  return concat(...chunks);
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    return Object(parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    return {};
  }
}
