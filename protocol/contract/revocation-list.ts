import { text } from "../shape.ts";

/** A tenant's revoked certificates are in so many lists. */
export const REVOCATION_LISTS = 256;
/** Which of them: the last octet of a serial number, in decimal. */
export const revocationList = text(1, 3, /^(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/);
