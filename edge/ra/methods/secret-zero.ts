/**
 * Secret zero (M2): a deployer, signed in as the custodian for whom it deploys, asks for it and launches the microservice
 * with it. A JWT (RFC 7519) that says for whom it is, so that whoever has it can tell; what counts is the copy that is kept here.
 * Its MAC is by a random key that is kept nowhere: 256 bits that nobody can guess, and nothing here that makes another one.
 */

import { equalConstantTime, utf8 } from "#protocol/bytes.ts";
import { sha256 } from "#protocol/digest.ts";
import { MAX_SECRET_ZERO } from "#protocol/enrolment.ts";
import { parseJson } from "#protocol/json.ts";
import { jwsInput, jwsParts, jwsToken } from "#protocol/jws.ts";
import { fits, line, object, open, seconds, text } from "#protocol/shape.ts";
import type { Caller } from "../../caller.ts";
import { intend } from "../../outbox.ts";
import { type Decision, ok, refuse } from "../../result.ts";
import { newSecret } from "../../secret.ts";
import type { Applicant, Binding } from "../types.ts";
import type { Exposed } from "./exposed.ts";
import type { EnrolmentMethod, Verification } from "./method.ts";

/** Life unless configured otherwise, and what a deployer may ask for at the most; seconds. */
export const SECRET_ZERO_SECONDS = 300;
/** Open ones that one user may have in one app; one more ends the oldest. */
const MAX_OPEN = 16;
const TYPE = "secret-zero+jwt";
const HS256 = { name: "HMAC", hash: "SHA-256" } as const;

const claims = open(
  {
    iss: line(512),
    aud: line(512),
    /** The custodian's Distinguished Name. */
    sub: line(1024),
    tenant: line(64),
    client: line(512),
    jti: text(43, 43, /^[\w-]*$/),
    iat: seconds,
    exp: seconds,
  },
  /** The identity key that may present it, by its thumbprint (RFC 7638). */
  { cnf: object({ jkt: text(43, 43, /^[\w-]*$/) }) },
);

export type SecretZero = {
  secretZero: string;
  id: string;
  hash: Uint8Array;
  key: string | null;
  expires: number;
};

/** A new one for this caller's custodian, good at `vault` for `life` seconds, and what is kept of it. */
export async function makeSecretZero(
  caller: Pick<Caller, "tenant" | "custodian" | "client">,
  { vault, life, key = null }: { vault: string; life: number; key?: string | null },
  now: number,
): Promise<SecretZero> {
  const { tenant, custodian, client } = caller;
  const [id, expires] = [newSecret(), now + life];
  const of = { iss: vault, aud: vault, sub: custodian, tenant, client };
  const said = { ...of, jti: id, iat: now, exp: expires, ...(key !== null && { cnf: { jkt: key } }) };
  const input = jwsInput({ alg: "HS256", typ: TYPE }, said);
  const made = (await crypto.subtle.generateKey({ ...HS256, length: 256 }, false, ["sign"])) as CryptoKey;
  const secretZero = jwsToken(input, new Uint8Array(await crypto.subtle.sign("HMAC", made, utf8(input))));
  return { secretZero, id, hash: await sha256(secretZero), key, expires };
}

/** Keeps it, in the transaction of the decision. */
export function storeSecretZero(sql: SqlStorage, caller: Caller, made: SecretZero, now: number): void {
  sql.exec("DELETE FROM secret_zeros WHERE expires <= ?", now);
  sql.exec(
    `UPDATE secret_zeros SET used = ? WHERE id IN (SELECT id FROM secret_zeros WHERE user = ? AND client = ?
     AND used IS NULL ORDER BY expires DESC LIMIT -1 OFFSET ?)`,
    now,
    caller.user,
    caller.client,
    MAX_OPEN - 1,
  );
  sql.exec(
    `INSERT INTO secret_zeros (id, hash, user, custodian, client, jkt, origin, identity_key, expires)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    made.id,
    made.hash,
    caller.user,
    caller.custodian,
    caller.client,
    caller.jkt,
    caller.origin,
    made.key,
    made.expires,
  );
}

export const secretZeroMethod = {
  name: "secret-zero",
  // Who has it needs no cookie. Any token of an app gets one, a page's too (docs/threat-model.md).
  challenge: { nonce: 32, signedIn: false },

  async prepare(credential) {
    const read = readSecretZero(credential);
    if (read === null) return null;
    const hash = await sha256(credential);
    return { consume: (sql, by, now) => consume(sql, { ...read, hash }, by, now) };
  },
} as const satisfies EnrolmentMethod;

/** Its number, and the principal whose it says it is; null for what is none. Nothing of it is verified. */
function readSecretZero(token: string): { id: string; principal: string | null } | null {
  if (token.length > MAX_SECRET_ZERO) return null;
  try {
    const parts = jwsParts(token);
    const [header, payload] = [parts.header, parts.payload].map((part) =>
      parseJson(new TextDecoder().decode(part)),
    );
    if ((header as { typ?: unknown } | null)?.typ !== TYPE || !fits(claims, payload)) return null;
    const { jti: id, sub } = payload;
    return { id, principal: /^CN=([a-z2-7]{32}),/.exec(sub)?.[1] ?? null };
  } catch {
    return null;
  }
}

type Presented = { id: string; hash: Uint8Array; principal: string | null };
type Row = Binding & { hash: ArrayBuffer; identity_key: string | null; expires: number };

function consume(
  sql: SqlStorage,
  { id, hash, principal }: Presented,
  by: Applicant,
  now: number,
): Decision<Verification> {
  const [row] = [
    ...sql.exec<Row>(
      `UPDATE secret_zeros SET used = ? WHERE id = ? AND used IS NULL
       RETURNING hash, user, custodian, client, jkt, origin, identity_key, expires`,
      now,
      id,
    ),
  ];
  if (!row) {
    // Of another principal it is in wrong hands: it is used up there too.
    if (principal !== null && principal !== (by.user ?? by.principal))
      intend(sql, `principal/${principal}`, { secretZero: id } satisfies Exposed);
    return refuse("invalid-grant", "secret zero unknown or already used");
  }
  if (!equalConstantTime(new Uint8Array(row.hash), hash))
    return refuse("invalid-grant", "secret zero is not the one that was given");
  if (!(now < row.expires)) return refuse("invalid-grant", "secret zero expired");
  const { user, custodian, client, jkt, origin, identity_key: key } = row;
  const binding = { user, custodian, client, jkt, origin };
  // It says who deploys, and nothing of what runs.
  return ok(async ({ keys }) =>
    key === null || equalConstantTime(utf8(key), utf8(keys.identityThumbprint))
      ? ok({ binding, tier: "software" })
      : refuse("invalid-grant", "secret zero is for another key"),
  );
}

/** Whether an instance is expected that has no cookie. */
export function expectsSecretZero(sql: SqlStorage, now: number): boolean {
  const open = "SELECT 1 FROM secret_zeros WHERE used IS NULL AND expires > ? LIMIT 1";
  return sql.exec(open, now).toArray().length > 0;
}
