/**
 * The head of an account's version index in one app, signed in the HSM by the key for receipts: a closed shape with a `kind`, so that it
 * passes for no other receipt.
 */

import { SIGN_TYPE } from "../hierarchy/index.ts";
import {
  base64url,
  boolean,
  fits,
  line,
  literal,
  object,
  type Shape,
  seconds,
  text,
  whole,
} from "../shape.ts";
import { JwsError, verifyJws } from "./jws.ts";
import { checkTime } from "./time.ts";
import { findKey, type TrustList } from "./trust.ts";

export type IndexReceipt = {
  version: 1;
  kind: "version-index";
  tenant: string;
  account: string;
  /** Origin of the app whose documents they are. */
  app: string;
  /**
   * OAuth client id that this app has now: another one has another index. For who reads a head; a vault holds it against nothing, as the KMS says
   * which it is. Absent in heads of earlier releases.
   */
  client?: string;
  /** How many changes there have been. */
  sequence: number;
  /** Over all rows (`rootOf`), base64url. */
  root: string;
  /** Whether it has all documents: those of releases without an index were taken over. */
  founded: boolean;
  /** Seconds since 1970. */
  iat: number;
  exp: number;
};

const name = /* @__PURE__ */ line(64);
const shape: Shape<IndexReceipt> = /* @__PURE__ */ object(
  {
    version: /* @__PURE__ */ literal(1),
    kind: /* @__PURE__ */ literal("version-index"),
    tenant: name,
    account: name,
    app: /* @__PURE__ */ text(1, 512),
    sequence: /* @__PURE__ */ whole(0),
    root: /* @__PURE__ */ base64url(32),
    founded: boolean,
    iat: seconds,
    exp: seconds,
  },
  { client: /* @__PURE__ */ text(1, 512) },
);

/** Verifies that it is the index of this account in this app; `now` in seconds. Throws `JwsError`. */
export async function verifyIndexReceipt(
  token: string,
  trust: TrustList,
  of: Pick<IndexReceipt, "tenant" | "account" | "app">,
  now: number,
): Promise<IndexReceipt> {
  const receipt = await verifyJws(token, SIGN_TYPE.receipt, (kid) => findKey(trust, kid, "receipt"));
  if (!fits(shape, receipt)) throw new JwsError("jws-payload", "not of a version index");
  checkTime(receipt, now);
  for (const member of ["tenant", "account", "app"] as const)
    if (receipt[member] !== of[member]) throw new JwsError("jws-payload", `index of another ${member}`);
  return receipt;
}
