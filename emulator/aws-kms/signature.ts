/** Whether a request is signed by Signature Version 4, worked out by Node's crypto from what came over the wire. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** AWS's own tolerance. Milliseconds. */
const TOLERANCE = 5 * 60_000;

export type Credentials = { accessKeyId: string; secretAccessKey: string };

export function isSigned(
  { headers, method, url }: IncomingMessage,
  body: Buffer,
  { accessKeyId, secretAccessKey }: Credentials,
  region: string,
): boolean {
  const header =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/kms\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;
  const [, id, day = "", where, names = "", signature = ""] = header.exec(headers.authorization ?? "") ?? [];
  const time = String(headers["x-amz-date"]);
  const at = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  const isNow = Math.abs(at - Date.now()) <= TOLERANCE && time.startsWith(day);
  const signed = names.split(";");
  const needed = ["host", "x-amz-date", "x-amz-target"].every((name) => signed.includes(name));
  if (id !== accessKeyId || where !== region || !isNow || !needed) return false;
  const lines = signed.map((name) => `${name}:${String(headers[name]).trim()}\n`).join("");
  const canonical = [method, url, "", lines, names, createHash("sha256").update(body).digest("hex")].join(
    "\n",
  );
  const scope = `${day}/${region}/kms/aws4_request`;
  const hashed = createHash("sha256").update(canonical).digest("hex");
  let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
  for (const part of [day, region, "kms", "aws4_request"])
    key = createHmac("sha256", key).update(part).digest();
  const expected = createHmac("sha256", key)
    .update(["AWS4-HMAC-SHA256", time, scope, hashed].join("\n"))
    .digest();
  return timingSafeEqual(expected, Buffer.from(signature, "hex"));
}
