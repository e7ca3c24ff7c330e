/** Rows of lists that several routes answer with. Apart from the names: a microservice needs none of them, and is measured. */

import { METHOD_NAMES } from "../enrolment.ts";
import { line, list, literal, open, seconds } from "../shape.ts";
import { instanceId } from "./names.ts";

/** Accounts of a caller, the oldest first. */
export const ownAccounts = list(open({ id: line(256), name: line(256) }), 0, 1000);
/** What the registration authority says of an instance. Times are seconds since 1970. */
export const listedInstance = {
  id: instanceId,
  custodian: line(1024),
  origin: line(512),
  method: literal(...METHOD_NAMES),
  tier: literal("software", "emulated", "hardware"),
  enrolled: seconds,
  notAfter: seconds,
  status: literal("active", "revoked", "expired"),
};
