import { encodeHex } from "../bytes.ts";
import { objectIdentifier } from "../pki/der.ts";
import { TIER_POLICY } from "../pki/index.ts";

/** The policy by which the certificate of an emulated platform says that it is one: DER in hexadecimal. */
export const EMULATED_POLICY = encodeHex(objectIdentifier(TIER_POLICY.emulated));
