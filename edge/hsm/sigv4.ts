/** AWS Signature Version 4 of a request with a body and no query (AWS General Reference, "Create a signed AWS API request"). */

import { concat, encodeHex, utf8 } from "#protocol/bytes.ts";

export type AwsCredentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

const ALGORITHM = "AWS4-HMAC-SHA256";

/** What is signed of a request: the host, and the headers by their names in lower case. */
export type ToSign = { host: string; headers: Record<string, string>; body: Uint8Array };
export type Scope = { region: string; service: string };

/** The headers with `x-amz-date` and `authorization`. `now`: milliseconds since 1970. */
export async function signedHeaders(
  { host, headers, body }: ToSign,
  { accessKeyId, secretAccessKey, sessionToken }: AwsCredentials,
  scope: Scope,
  now: number,
): Promise<Record<string, string>> {
  const time = new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, "");
  const token: Record<string, string> =
    sessionToken === undefined ? {} : { "x-amz-security-token": sessionToken };
  const all: Record<string, string> = { ...headers, ...token, host, "x-amz-date": time };
  const { signature, names } = await signature4({ headers: all, body }, secretAccessKey, scope, time);
  const of = `${time.slice(0, 8)}/${scope.region}/${scope.service}/aws4_request`;
  const authorization = `${ALGORITHM} Credential=${accessKeyId}/${of}, SignedHeaders=${names}, Signature=${signature}`;
  const { host: _, ...sent } = all;
  return { ...sent, authorization };
}

/** The signature of a POST to `/` with all of these headers, hexadecimal, and their names as they are signed. */
async function signature4(
  { headers, body }: Pick<ToSign, "headers" | "body">,
  secret: string,
  { region, service }: Scope,
  time: string,
): Promise<{ signature: string; names: string }> {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = sorted.map(([name]) => name).join(";");
  const lines = sorted.map(([name, value]) => `${name}:${value.trim()}\n`).join("");
  const canonical = `POST\n/\n\n${lines}\n${names}\n${await sha256(body)}`;
  const day = time.slice(0, 8);
  const text = [ALGORITHM, time, `${day}/${region}/${service}/aws4_request`, await sha256(utf8(canonical))];
  let key: Uint8Array<ArrayBuffer> = utf8(`AWS4${secret}`);
  for (const part of [day, region, service, "aws4_request"]) key = await hmac(key, utf8(part));
  return { signature: encodeHex(await hmac(key, utf8(text.join("\n")))), names };
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", concat(bytes))));
}

async function hmac(secret: Uint8Array<ArrayBuffer>, bytes: Uint8Array<ArrayBuffer>) {
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
}
