/**
 * Which certificates of a tenant's instances are revoked (RFC 5280 §5), on the vault's origin and for anyone. They are in many lists, by the last
 * octet of their serial numbers, all of an instance in one. Each certificate names its own.
 */

import { line, list, open } from "../shape.ts";
import { REVOCATION_LISTS, revocationList } from "./revocation-list.ts";
import type { Route } from "./route.ts";

const crl = { octets: true, ranges: false, type: "application/pkix-crl" } as const;

/** One list. */
export const readRevocationList = {
  site: "vault",
  method: "GET",
  path: "/ra/revocations/{list}",
  authentication: "none",
  parameters: { list: revocationList },
  answer: { status: 200, ...crl },
  problems: ["hsm-refused", "hsm-unavailable"],
} as const satisfies Route;

/** Where all of them are. */
export const listRevocationLists = {
  site: "vault",
  method: "GET",
  path: "/ra/revocation-lists",
  authentication: "none",
  answer: { status: 200, json: open({ lists: list(line(512), REVOCATION_LISTS, REVOCATION_LISTS) }) },
  problems: [],
} as const satisfies Route;

/** The one list that certificates of earlier releases name, until the last of them has ended. */
export const readFirstRevocationList = {
  site: "vault",
  method: "GET",
  path: "/ra/revocations",
  authentication: "none",
  answer: { status: 200, ...crl },
  problems: ["not-found", "hsm-refused", "hsm-unavailable"],
} as const satisfies Route;
