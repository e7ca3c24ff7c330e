/** What the HSM's audit key signs: roots of the log, and in earlier releases the heads of a tenant's one chain. */

import { encodeBase64url } from "../base64url.ts";
import { SIGN_TYPE } from "../hierarchy/index.ts";
import { findKey, type TrustList, verifyJws } from "../keys/index.ts";
import { base64url, fits, line, literal, object, type Shape, seconds, whole } from "../shape.ts";
import { AuditError } from "./error.ts";

/** `root`: of the tree of the first `size` leaves, base64url. `iat`: seconds since 1970. */
export type Root = { version: 2; tenant: string; size: number; root: string; iat: number };

type EarlierHead = { version: 1; tenant: string; sequence: number; hash: string; iat: number };

const root: Shape<Root> = object({
  version: literal(2),
  tenant: line(63),
  size: whole(1),
  root: base64url(32),
  iat: seconds,
});

const earlierHead: Shape<EarlierHead> = object({
  version: literal(1),
  tenant: line(63),
  sequence: whole(0),
  hash: base64url(32),
  iat: seconds,
});

/** The payload to sign as `SIGN_TYPE.audit`. */
export function rootPayload(tenant: string, tree: { size: number; root: Uint8Array }, iat: number): Root {
  return { version: 2, tenant, size: tree.size, root: encodeBase64url(tree.root), iat };
}

/** Verifies a signed root of this tenant's log. Throws `AuditError`. */
export function verifyRoot(jws: string, tenant: string, trust: TrustList): Promise<Root> {
  return verifySigned(jws, tenant, trust, root);
}

/** The same for a head that an earlier release had signed. */
export function verifyEarlierHead(jws: string, tenant: string, trust: TrustList): Promise<EarlierHead> {
  return verifySigned(jws, tenant, trust, earlierHead);
}

async function verifySigned<T extends { tenant: string }>(
  jws: string,
  tenant: string,
  trust: TrustList,
  shape: Shape<T>,
): Promise<T> {
  const payload = await verifyJws(jws, SIGN_TYPE.audit, (kid) => findKey(trust, kid, "audit")).catch(
    (error: unknown) => {
      throw new AuditError("audit-signature", `A root or head is not signed by an audit key`, error);
    },
  );
  if (!fits(shape, payload))
    throw new AuditError("audit-malformed", "What was signed is no such root or head");
  if (payload.tenant !== tenant)
    throw new AuditError("audit-tenant", `A root or head of ${payload.tenant} is among those of ${tenant}`);
  return payload;
}
