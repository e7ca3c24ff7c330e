/** Why a connection was refused, or ended before its client had asked for anything. */
export type RefusalCode =
  | "no-certificate"
  | "not-for-clients"
  | "foreign-authority"
  | "expired"
  | "not-yet-valid"
  | "certificate-invalid"
  | "authority-certificate"
  | "common-name"
  | "reserved-name"
  | "server-not-trusted"
  | "protocol-too-old"
  | "no-shared-cipher"
  | "not-tls"
  | "plain-http"
  | "handshake-timeout"
  | "handshake-failed"
  | "too-many-connections"
  | "message-too-long"
  | "not-kmip"
  | "not-http";

export interface Refusal {
  code: RefusalCode;
  /** One sentence that says what to do. */
  reason: string;
}
