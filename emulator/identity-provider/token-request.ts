import { timingSafeEqual } from "node:crypto";
import type { Client } from "./client.ts";

/** Who redeems a code: by HTTP Basic, by a secret in the form, or without one (OpenID Connect Core 1.0 §9). Null for nobody. */
export function clientOf(
  form: URLSearchParams,
  authorization: string | undefined,
  clients: readonly Client[],
): Client | null {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/.exec(authorization ?? "")?.[1];
  const [id, secret] =
    basic === undefined
      ? [form.get("client_id"), form.get("client_secret") ?? undefined]
      : Buffer.from(basic, "base64").toString().split(":").map(decodeURIComponent);
  const client = clients.find((known) => known.id === id);
  if (client === undefined) return null;
  if (client.secret === undefined) return secret === undefined ? client : null;
  return same(client.secret, secret ?? "") ? client : null;
}

function same(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
