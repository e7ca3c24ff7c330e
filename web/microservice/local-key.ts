/**
 * A data key that an instance has encrypted under its local master key (M10), for its custodian to keep and to bring with each request:
 * JWE in compact serialization (RFC 7516 §3.1), `dir` and `A256GCM` (RFC 7518 §4.5, §5.3). What is encrypted is the EDK and the
 * key as the HSM wrapped it to the instance; what is authenticated is which key this is and the policy under which it may be used.
 */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { jwsPart } from "#protocol/jws.ts";
import { MAX_JWS_LENGTH } from "#protocol/keys/length.ts";
import { type KeyPolicy, keyPolicy } from "#protocol/policy/index.ts";
import { compactJws, fits, line, literal, object, text } from "#protocol/shape.ts";

const TYPE = "coffer-local-key+jwe";

/** `kid`: `<key id>.<version>`; `instance`: its id. The policy names the one custodian, the operations, and the end. */
export type LocalKeyHeader = { kid: string; instance: string; policy: KeyPolicy };
export type LocalKeyContent = { edk: string; wrappedKey: string };

const header = /* @__PURE__ */ object({
  alg: /* @__PURE__ */ literal("dir"),
  enc: /* @__PURE__ */ literal("A256GCM"),
  typ: /* @__PURE__ */ literal(TYPE),
  kid: /* @__PURE__ */ line(96),
  instance: /* @__PURE__ */ line(128),
  policy: keyPolicy,
});
const content = /* @__PURE__ */ object({
  edk: /* @__PURE__ */ compactJws(MAX_JWS_LENGTH),
  wrappedKey: /* @__PURE__ */ text(1, 2048, /^[\w-]+$/),
});

type Cipher = Pick<SubtleCrypto, "encrypt" | "decrypt">;
/** Bytes of IV and tag (RFC 7518 §5.3). */
const [IV, TAG] = [12, 16];

/** `iv`: 12 bytes that come once under this key. */
export async function sealLocalKey(
  subtle: Cipher,
  key: CryptoKey,
  iv: Uint8Array<ArrayBuffer>,
  { kid, instance, policy }: LocalKeyHeader,
  of: LocalKeyContent,
): Promise<string> {
  const named = jwsPart({ alg: "dir", enc: "A256GCM", typ: TYPE, kid, instance, policy });
  const sealed = new Uint8Array(await subtle.encrypt(gcm(iv, named), key, utf8(JSON.stringify(of))));
  const [text, tag] = [sealed.subarray(0, -TAG), sealed.subarray(-TAG)];
  return `${named}..${[iv, text, tag].map((part) => encodeBase64url(part)).join(".")}`;
}

/** Throws for whatever is not one under this key, for that instance. */
export async function openLocalKey(
  subtle: Cipher,
  key: CryptoKey,
  token: string,
  instance: string,
): Promise<LocalKeyHeader & LocalKeyContent> {
  const [named = "", , ...parts] = token.split(".");
  const [iv, text, tag, ...more] = parts.map(decodeBase64url);
  if (iv?.length !== IV || !text || tag?.length !== TAG || more.length > 0) throw new TypeError("no JWE");
  const inside = read(new Uint8Array(await subtle.decrypt(gcm(iv, named), key, concat(text, tag))));
  const outside = read(decodeBase64url(named));
  if (!fits(header, outside) || !fits(content, inside) || outside.instance !== instance)
    throw new TypeError("no local key");
  const { kid, policy } = outside;
  return { kid, instance, policy, ...inside };
}

/** The header is authenticated as it stands in the text (RFC 7516 §5.1). */
function gcm(iv: Uint8Array<ArrayBuffer>, header: string) {
  return { name: "AES-GCM", iv, additionalData: utf8(header) };
}

function read(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
