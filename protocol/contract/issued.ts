import { line, list, open, text, whole } from "../shape.ts";

/** What every grant of a token is answered with: RFC 6749 §5.1, and who the custodian now is. */
export const issued = {
  access_token: text(1, 8192),
  token_type: text(4, 4, /^[Dd][Pp][Oo][Pp]$/),
  expires_in: whole(1),
  // `chain`: of the certificate's issuer and the root; both base64url DER.
  custodian: open(
    { dn: line(1024), certificate: text(1, 8192) },
    { chain: list(text(1, 8192, /^[\w-]+$/), 2, 2) },
  ),
  tenant: line(256),
  user: open({ id: line(256), name: line(256) }),
  accounts: list(open({ id: line(256), name: line(256) }), 0, 1000),
};
