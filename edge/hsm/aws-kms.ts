/**
 * AWS KMS as a back end for data keys: the tenant's master key is a KMS key that never leaves, data keys are encrypted under it, and one
 * leaves as CMS EnvelopedData to the key that an attestation document names (`Recipient`; AWS KMS Developer Guide, "Cryptographic
 * attestation support"). The KMS never asks for a key in clear; an answer that has one is refused.
 */

import { utf8 } from "#protocol/bytes.ts";
import type { Assurance } from "#protocol/hierarchy/index.ts";
import { inLanes } from "../in-lanes.ts";
import { AttestationRefused, type BackEnd, BackEndRefused, type Standing } from "./back-end.ts";
import { HsmUnavailable, UnexpectedAnswer } from "./client.ts";
import { type AwsCredentials, signedHeaders } from "./sigv4.ts";

export type { AwsCredentials };

type Bytes = Uint8Array<ArrayBuffer>;

export type AwsKmsAccess = {
  tenant: string;
  /** ARN or identifier of the tenant's KMS key. */
  key: string;
  region: string;
  /** `https://kms.<region>.amazonaws.com/`, or that of a stand-in. */
  endpoint: string;
  credentials: AwsCredentials;
};

/** What an encrypted data key is bound to: it is additional authenticated data, and in AWS's own log. */
export type AwsContext = { tenant: string; account: string };
export type AwsOrder = AwsContext & { count: number };
export type AwsKey = AwsContext & { wrappedKey: Bytes };
/** `attestation`: a document of the recipient's platform, minutes old at the most, that names its RSA key. */
export type AwsRecipient = { attestation: Bytes };

/**
 * Calls of one request under way: as many as a worker may have waiting for an answer (Cloudflare Workers, Limits, "Simultaneous open
 * connections"). The time of each begins when it does.
 */
const AT_ONCE = 6;
const TIMEOUT_MS = 10_000;
/** Answers have a ciphertext of some hundred bytes. */
const MAXIMUM_RESPONSE = 64 * 1024;

/** `now`: milliseconds since 1970. */
export function awsKmsBackEnd(
  settings: AwsKmsAccess,
  fetching: typeof fetch = fetch,
  now: () => number = Date.now,
): BackEnd<AwsOrder, AwsKey, AwsRecipient, "aws-kms"> {
  const call = (operation: string, body: object) => request(settings, operation, body, fetching, now());
  const { key: KeyId } = settings;
  async function make(context: Record<string, string>): Promise<Bytes> {
    const order = { KeyId, KeySpec: "AES_256", EncryptionContext: context };
    return bytesOf((await call("GenerateDataKeyWithoutPlaintext", order)).CiphertextBlob);
  }
  return {
    /**
     * A key of no use is asked for in clear, as whoever has the edge's credentials could: where the key's policy lets them, it is kept
     * from nobody. What such an answer has is dropped. Its encryption context is that of a data key, of an account that is nobody's: a
     * policy can tell contexts apart.
     */
    async standing(): Promise<Standing> {
      const EncryptionContext = { tenant: settings.tenant, account: crypto.randomUUID() };
      const CiphertextBlob = base64(await make(EncryptionContext));
      const inClear = await call("Decrypt", { KeyId, CiphertextBlob, EncryptionContext }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof AwsRefused && error.code === "AccessDeniedException") return false;
          throw error;
        },
      );
      const keeps: Assurance[] = inClear ? [] : ["sensitive", "release-policy"];
      return { name: "aws-kms", keeps };
    },
    holdsKeys: async () => false,
    makeDataKeys({ tenant, account, count }) {
      return inLanes(Array.from({ length: count }), AT_ONCE, async () => {
        return { wrapping: "aws-kms" as const, wrappedKey: await make({ tenant, account }) };
      });
    },
    async release(keys, { attestation }) {
      const Recipient = {
        AttestationDocument: base64(attestation),
        KeyEncryptionAlgorithm: "RSAES_OAEP_SHA_256",
      };
      return inLanes(keys, AT_ONCE, async ({ wrappedKey, tenant, account }) => {
        const CiphertextBlob = base64(wrappedKey);
        const EncryptionContext = { tenant, account };
        const asked = { KeyId, CiphertextBlob, EncryptionContext, Recipient };
        const answer = await call("Decrypt", asked).catch(ofRecipient);
        if (answer.Plaintext !== undefined && answer.Plaintext !== null)
          throw new BackEndRefused("aws-kms answered with a key in clear");
        return bytesOf(answer.CiphertextForRecipient);
      });
    },
  };
}

/**
 * What AWS KMS says where the document does not hold (of another root, older than five minutes, without a key), and where the key's policy
 * asks for other registers. Both are said of other things too, of which a request has none that a caller chooses.
 */
const OF_RECIPIENT: ReadonlySet<string> = new Set(["AccessDeniedException", "ValidationException"]);

function ofRecipient(error: unknown): never {
  if (error instanceof AwsRefused && OF_RECIPIENT.has(error.code))
    throw new AttestationRefused(error.message, { cause: error });
  throw error;
}

/** AWS KMS has refused. `code`: the exception's name. */
export class AwsRefused extends UnexpectedAnswer {
  readonly code: string;

  constructor(operation: string, code: string) {
    super(`AWS KMS refused ${operation}: ${code}`);
    this.code = code;
  }
}

async function request(
  { endpoint, region, credentials }: AwsKmsAccess,
  operation: string,
  of: object,
  fetching: typeof fetch,
  now: number,
): Promise<Record<string, unknown>> {
  const body = utf8(JSON.stringify(of));
  const named = { "content-type": "application/x-amz-json-1.1", "x-amz-target": `TrentService.${operation}` };
  const { host } = new URL(endpoint);
  const headers = await signedHeaders(
    { host, headers: named, body },
    credentials,
    { region, service: "kms" },
    now,
  );
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    response = await fetching(endpoint, { method: "POST", headers, body, redirect: "manual", signal });
    text = await bounded(response);
  } catch (cause) {
    if (cause instanceof UnexpectedAnswer) throw cause;
    throw new HsmUnavailable("AWS KMS cannot be reached", { cause });
  }
  if (response.status >= 500) throw new HsmUnavailable(`AWS KMS answered with status ${response.status}`);
  const answer = parsed(text);
  if (response.status !== 200) {
    const [, code = "refused"] = /^(?:[\w.]+#)?([A-Za-z]{1,64})$/.exec(String(answer.__type)) ?? [];
    throw new AwsRefused(operation, code);
  }
  return answer;
}

async function bounded({ body }: Response): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAXIMUM_RESPONSE) throw new UnexpectedAnswer("AWS KMS's answer is too long");
  }
  return text;
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {}
  throw new UnexpectedAnswer("AWS KMS answered no JSON");
}

function bytesOf(value: unknown): Bytes {
  if (typeof value !== "string" || !/^[A-Za-z0-9+/]+={0,2}$/.test(value))
    throw new UnexpectedAnswer("AWS KMS answered without what was asked for");
  return Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
