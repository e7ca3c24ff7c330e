import type { Refusal } from "../identity/refusal.ts";

/** What OpenSSL's and Node's error of a TLS handshake means for somebody who wonders why nothing connects. */
export function handshakeRefusal(error: Error & { code?: string }): Refusal {
  const code = error.code ?? "";
  const known = HANDSHAKE.find(([pattern]) => pattern.test(code));
  if (known) return known[1];
  // OpenSSL's codes are words of its own; never what the client sent.
  const named = /^[A-Z0-9_]{1,80}$/.test(code) ? ` (${code})` : "";
  return { code: "handshake-failed", reason: `The TLS handshake did not come to an end${named}.` };
}

const HANDSHAKE: readonly [RegExp, Refusal][] = [
  [
    /_(HTTP|HTTPS_PROXY)_REQUEST$/,
    { code: "plain-http", reason: "Plain HTTP came in: use https:// and a client certificate." },
  ],
  [
    /_(UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_PROTOCOLS_AVAILABLE|UNKNOWN_PROTOCOL|UNSUPPORTED_SSL_VERSION|ALERT_PROTOCOL_VERSION)$/,
    { code: "protocol-too-old", reason: "The client speaks no TLS 1.2 or 1.3: let it use one of them." },
  ],
  [
    /_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE|BAD_RECORD_TYPE|UNEXPECTED_MESSAGE|WRONG_SSL_VERSION|INVALID_HEADER|RECORD_TOO_SMALL|LENGTH_TOO_SHORT)$/,
    { code: "not-tls", reason: "What came in is no TLS: KMIP is spoken over TLS here, never in plain." },
  ],
  [
    /_(NO_SHARED_CIPHER|NO_SUITABLE_SIGNATURE_ALGORITHM|NO_SHARED_SIGNATURE_ALGORITHMS|NO_SHARED_GROUP|NO_SUITABLE_GROUPS|NO_SUITABLE_KEY_SHARE)$/,
    {
      code: "no-shared-cipher",
      reason: "The client offers no cipher, group or signature that is taken here.",
    },
  ],
  [
    /PEER_DID_NOT_RETURN_A_CERTIFICATE$/,
    { code: "no-certificate", reason: "The client showed no certificate: give it one, and its private key." },
  ],
  [
    /ALERT_(UNKNOWN_CA|CERTIFICATE_UNKNOWN|BAD_CERTIFICATE|CERTIFICATE_EXPIRED|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED)$/,
    {
      code: "server-not-trusted",
      reason:
        "The client does not trust the server's certificate: give it the server's authority, and a host name that the certificate has.",
    },
  ],
  [
    /^ERR_TLS_HANDSHAKE_TIMEOUT$/,
    { code: "handshake-timeout", reason: "The client did not finish the TLS handshake in time." },
  ],
];
