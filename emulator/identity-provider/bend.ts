import type { Answer } from "../pages/index.ts";
export type Claims = Record<string, unknown>;
export type JoseHeader = Record<string, unknown>;

/** What a provider may do that the specification does not let it do, or need not. For tests. */
export type Bend = {
  /** Changes the metadata (OpenID Connect Discovery 1.0 §3). */
  metadata?: (metadata: Record<string, unknown>) => Record<string, unknown>;
  /** Changes the redirect to the client. */
  response?: (parameters: URLSearchParams) => void;
  /** Changes what the ID token says. */
  claims?: (claims: Claims) => Claims;
  header?: (header: JoseHeader) => JoseHeader;
  /** How it is signed, if not by a key of ours: by one that is not in the key set, with no signature, with a secret. */
  signed?: "foreign" | "withdrawn" | "none" | "HS256" | "altered";
  /** A code works again and again. */
  reusable?: boolean;
  /** Changes the answer of the token endpoint. */
  token?: (answer: Answer) => Answer | Promise<Answer>;
  /** Signed in here already: nothing is asked (single sign-on). */
  person?: string;
};
