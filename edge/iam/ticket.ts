import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { hmacKey } from "./kept-key.ts";

/**
 * What comes with each form of the vault's pages, and back with the answer: when the question was put, under an HMAC
 * over what was asked of whom. An answer that comes before a person could have read the question does not count, whatever
 * pressed the button: a key held down, a double click meant for another page.
 */

/** A person takes at least this long, milliseconds. The page's own script waits as long, from when the page is seen. */
const EARLIEST_MS = 1000;
/** A page that was open for longer is asked again, milliseconds. */
const LATEST_MS = 10 * 60_000;
const FORM = /^([0-9]{1,15})\.([A-Za-z0-9_-]{43})$/;

/** What a form asks: which page, in which session (hash of its cookie), about what. */
export type Question = { page: "sign-in" | "account"; session: string | null; about: string };

/** `again`: why the question is asked again. */
export type TicketCheck = { ok: true } | { ok: false; again: "early" | "late" };

export async function makeTicket(key: CryptoKey, question: Question, now: number): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", key, input(question, now));
  return `${now}.${encodeBase64url(new Uint8Array(mac))}`;
}

/** One that was made up, or for another question, counts as one of a page that was open too long. */
export async function checkTicket(
  key: CryptoKey,
  question: Question,
  ticket: string,
  now: number,
): Promise<TicketCheck> {
  const late: TicketCheck = { ok: false, again: "late" };
  const [, time, mac] = FORM.exec(ticket) ?? [];
  if (time === undefined || mac === undefined) return late;
  const asked = Number(time);
  try {
    const signed = input(question, asked);
    if (!(await crypto.subtle.verify("HMAC", key, decodeBase64url(mac), signed))) return late;
  } catch {
    return late;
  }
  if (now - asked > LATEST_MS) return late;
  return now - asked >= EARLIEST_MS ? { ok: true } : { ok: false, again: "early" };
}

/** An isolate's copies of the tenants' keys: a ticket costs no object a request. Nothing ever takes their place. */
const kept = new Map<string, CryptoKey>();

/** The tenant's, asked for once. */
export async function ticketKey(
  tenant: string,
  ask: () => Promise<Uint8Array<ArrayBuffer>>,
): Promise<CryptoKey> {
  const known = kept.get(tenant);
  if (known !== undefined) return known;
  const key = await hmacKey(await ask(), ["sign", "verify"]);
  kept.set(tenant, key);
  return key;
}

function input({ page, session, about }: Question, asked: number): Uint8Array<ArrayBuffer> {
  return utf8(JSON.stringify(["coffer-ticket-v1", page, session, about, asked]));
}
