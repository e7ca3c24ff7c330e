/** The edge as the instance sees it, registration authority and session: REST on its own origin, where its cookie counts. */
import { concat } from "#protocol/bytes.ts";
import {
  type AnswerOf,
  type JsonRoute,
  openEnrolment,
  pathOf,
  type Redemption,
  redeemEnrolment,
  session,
} from "#protocol/contract/index.ts";
import { CofferError, errorCode } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import { mediaTypeOf } from "#protocol/media-type.ts";
import { delay as byTheClock, type Delay, patiently } from "#protocol/patience.ts";
import { fits } from "#protocol/shape.ts";

/** Checked against the contract before anything is believed. */
export type EnrolmentAnswer = AnswerOf<typeof redeemEnrolment>;

/** Whom this host serves: in a browser, whom the vault's cookie stands for. `session` names the session itself, from sign-in to sign-out. */
export type SessionOwner = AnswerOf<typeof session>;

export type Registration = {
  /**
   * Up to the host: one that serves nobody who signs in says itself whom. Errors: `no-session` when nobody is signed in at
   * the vault, `offline` without a network.
   */
  session(): Promise<SessionOwner>;
  /** Opens a session; `nonce` is base64url. */
  open(): Promise<{ id: string; nonce: string }>;
  redeem(id: string, body: Redemption): Promise<EnrolmentAnswer>;
};

const MAX_ANSWER = 64 * 1024;

/** REST over `fetch`, bound to `origin`. Errors: the problem's code, `offline`, `answer-invalid`. */
export function restRegistration(
  fetch: typeof globalThis.fetch,
  origin: string,
  delay: Delay = byTheClock,
): Registration {
  async function ask<const R extends JsonRoute>(
    route: R,
    { id, body, repeatable = true }: { id?: string; body?: unknown; repeatable?: boolean } = {},
  ): Promise<AnswerOf<R>> {
    const { method, answer } = route;
    const sent = { headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) };
    const request = {
      method,
      ...(method === "POST" ? sent : {}),
      credentials: "same-origin",
      redirect: "error",
      cache: "no-store",
      referrerPolicy: "no-referrer",
    } as const;
    const path = pathOf(route, id === undefined ? {} : { id });
    const response = await patiently(() => fetch(new URL(path, origin), request), {
      repeatable,
      delay,
    }).catch(offline);
    const type = mediaTypeOf(response.headers.get("content-type"));
    const bytes = await bodyOf(response).catch(offline);
    // A captive portal or a proxy answers too: what is not of the type and status that is due is not the edge's.
    const value = type === "application/json" || type === "application/problem+json" ? parse(bytes) : {};
    if (response.status >= 400) {
      const { code } = Object(value);
      throw new CofferError(fits(errorCode, code) ? code : "answer-invalid");
    }
    const due = response.status === answer.status && type === "application/json";
    if (!due || !fits(answer.json, value)) throw new CofferError("answer-invalid");
    return value as AnswerOf<R>;
  }

  return {
    session: () => ask(session),
    async open() {
      const { id, nonce } = await ask(openEnrolment);
      return { id, nonce };
    },
    // Whatever comes of it, session and grant are used up once the RA has seen them.
    redeem: (id, body) => ask(redeemEnrolment, { id, body, repeatable: false }),
  };
}

function offline(cause: unknown): never {
  throw new CofferError("offline", { cause });
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

function parse(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}
