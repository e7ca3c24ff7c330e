/** The registration authority and the vault's session, as the instance sees them: REST on its own origin, where its cookie counts. */
import {
  type AnswerOf,
  openEnrolment,
  type Redemption,
  type Renewal,
  redeemEnrolment,
  renewEnrolment,
  session,
} from "#protocol/contract/index.ts";
import { delay as byTheClock, type Delay } from "#protocol/patience.ts";
import { restOf } from "./rest.ts";

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
  /** Opens a session; `nonce` is base64url. `principal`: whom it is for, where no cookie says so. */
  open(principal?: string): Promise<{ id: string; nonce: string }>;
  /** Certificates for the keys of an enrolled instance, which has signed for them. */
  renew(body: Renewal): Promise<EnrolmentAnswer>;
  redeem(id: string, body: Redemption): Promise<EnrolmentAnswer>;
};

/** Whose session it is, is asked before anything else: in a network that says nothing all would wait for it. Milliseconds. */
const SESSION_PATIENCE = 5000;

/** REST over `fetch`, bound to `origin`. Errors: the problem's code, `offline`, `answer-invalid`. */
export function restRegistration(
  fetch: typeof globalThis.fetch,
  origin: string,
  delay: Delay = byTheClock,
): Registration {
  const ask = restOf(fetch, origin, delay);
  return {
    session: () => ask(session, { patience: SESSION_PATIENCE }),
    async open(principal) {
      const { id, nonce } = await ask(openEnrolment, { body: principal ? { principal } : {} });
      return { id, nonce };
    },
    // Asked again it gets the same answer.
    renew: (body) => ask(renewEnrolment, { body }),
    // Whatever comes of it, session and grant are used up once the RA has seen them.
    // A session for evidence is nobody's: who has opened it is in it.
    redeem: (id, body) =>
      ask(redeemEnrolment, {
        ...{ parameters: { id }, body, repeatable: false },
        cookie: body.method !== "attestation",
      }),
  };
}
