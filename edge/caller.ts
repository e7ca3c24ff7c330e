/**
 * Who asks, after the gateway has verified the access token (RFC 9068) and its DPoP proof (RFC 9449). Domains trust it
 * because their only door is a service binding; they still decide by it, in `authorize()`.
 */
export type Caller = {
  tenant: string;
  /** Id of the user who signed in. */
  user: string;
  /** Distinguished Name of the custodian: `CN=<user>,OU=<origin>,O=<tenant>`. */
  custodian: string;
  /** OAuth client id of the app. */
  client: string;
  /** RFC 7638 thumbprint (base64url SHA-256) of the custodian's DPoP key. */
  jkt: string;
  /** Origin of the app that the token was issued to. */
  origin: string;
  /** Under this id the audit log has the full reasons. */
  requestId: string;
  /** Of a request for keys, for policies: path without the query, and header fields but those that prove who asks. */
  http?: HttpFacts;
};

export type HttpFacts = { path: string; headers: [name: string, value: string][] };

/**
 * An instance that asks for itself (levels `account` and `master`), by a token of its own. The rest is that of the custodian
 * whom it serves, whose sign-in has to live: `jkt` and `origin` too.
 */
export type InstanceCaller = Caller & { instance: string };
