/** HTTP to the edge's origins on this machine, read whole. */

import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { utf8 } from "#protocol/bytes.ts";

export type Answer = { status: number; headers: Record<string, string>; bytes: Buffer; text: string };

export type Sent = { method?: string; headers?: Record<string, string>; body?: string | Uint8Array };

/** One request, with no header but those that it is given (Origin and Cookie too) and what HTTP needs. */
export async function send(url: string, { method = "GET", headers = {}, body }: Sent = {}): Promise<Answer> {
  // `fetch` gives a text a content type of its own.
  const bytes = typeof body === "string" ? utf8(body) : body;
  const answer = await loopbackFetch(url, { method, headers, body: (bytes as BodyInit | undefined) ?? null });
  const read = Buffer.from(await answer.arrayBuffer());
  return {
    status: answer.status,
    headers: Object.fromEntries([...answer.headers.keys()].map((name) => [name, answer.headers.get(name)!])),
    bytes: read,
    text: read.toString(),
  };
}

export function json<T = Record<string, unknown>>({ text }: Answer): T {
  return JSON.parse(text) as T;
}

/** Status and problem code of an answer: what tests of refusals compare. */
export function problem(answer: Answer): string {
  return `${answer.status} ${json<{ code?: string }>(answer).code}`;
}
