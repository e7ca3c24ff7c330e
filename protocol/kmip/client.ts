/** The KMIP client: typed batches over anything that carries one message there and one back. */

import { encodeHex } from "../bytes.ts";
import { type Attest, answered, hasAttestation, mayRepeat } from "./attestation.ts";
import { awaited } from "./awaited.ts";
import { decodeResponse, type Encoding, encodeRequest } from "./encoding.ts";
import { KmipDecodeError, KmipError, type ResultReason } from "./errors.ts";
import type { Limits } from "./item.ts";
import type {
  OperationName,
  RequestHeader,
  RequestItem,
  RequestItemOf,
  RequestMessage,
  RequestPayload,
  ResponseHeader,
  ResponseItem,
  ResponseItemOf,
  ResponseMessage,
  ResponsePayload,
} from "./messages.ts";
import type { Credential } from "./parameters.ts";
import { isSupported, NEWEST_VERSION, type ProtocolVersion, VERSIONS } from "./version.ts";

/** Sends one encoded request and returns the encoded response. A transport: TLS socket, `Fetcher`, test double. */
export type Exchange = (request: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

/** Credentials (KMIP 2.1 §9.11 Credential), or what gives those of the next message: it is asked again for each message. */
export type Credentials =
  | readonly Credential[]
  | (() => readonly Credential[] | Promise<readonly Credential[]>);

export type KmipClientOptions = {
  exchange: Exchange;
  /** Version of the requests; 2.1 by default. */
  version?: ProtocolVersion;
  /** Encoding of the messages; TTLV by default. The transport sets the content type to match. */
  encoding?: Encoding;
  /**
   * Who the client is, where the channel does not say it or says another. A credential that is good for one message,
   * such as a one-time password, is for Login; the Ticket that it returns is for what follows.
   *
   * @example
   * const credentials = [{ credentialType: "UsernameAndPassword", credentialValue: { username, password } }] as const;
   * const login = createKmipClient({ exchange, credentials });
   * const { ticket } = await login.request("Login", {});
   * const client = createKmipClient({
   *   exchange,
   *   credentials: [{ credentialType: "Ticket", credentialValue: { ticket } }],
   * });
   */
  credentials?: Credentials;
  /**
   * Makes the evidence when the server asks for attestation; the client says in each request that it can
   * (from KMIP 1.2 on). The message is then sent again, as a whole, with the Attestation Credential, unless an item
   * of it was done already that changes something: those are never repeated, so the answers come back as they are, and
   * the caller sends what was refused again by itself. A batch with `Undo` can always be repeated. What the server
   * says the second time is the answer.
   *
   * @example
   * const client = createKmipClient({
   *   exchange,
   *   attest: async ({ nonceValue }, types) =>
   *     types.includes(0x80000001)
   *       ? { attestationType: 0x80000001, attestationAssertion: await enclave.evidence(nonceValue) }
   *       : undefined,
   * });
   */
  attest?: Attest;
  /** Bounds of the responses that are accepted. */
  limits?: Partial<Limits>;
};

export type BatchOptions = {
  /** What the server does after an item failed; `Stop` is the protocol's default. */
  batchErrorContinuationOption?: "Stop" | "Continue" | "Undo";
  /** Whether the items run in order; true by default for several, since an ID Placeholder needs it. */
  batchOrderOption?: boolean;
  /** Bound on the response, in bytes. */
  maximumResponseSize?: number;
  /** Further fields of the header. */
  header?: Partial<RequestHeader>;
};

/** A response item as typed as the request item that it answers. Poll is answered by the operation that was waited for. */
export type Answer<I> = I extends { operation: "Poll" }
  ? ResponseItem
  : I extends { operation: infer O extends OperationName }
    ? ResponseItemOf<O>
    : ResponseItem;

/** An answer for each item, in order. */
export type Answers<I extends readonly RequestItem[]> = { -readonly [K in keyof I]: Answer<I[K]> };

export type KmipClient = {
  readonly version: ProtocolVersion;
  /**
   * Runs the items in one message and returns an answer for each, in order; check every `resultStatus`.
   * An item that the server never reached (after a failure, with `Stop`) is `OperationFailed` without a reason.
   * Throws `KmipError` where the server refused the whole message, `KmipDecodeError` where its answer makes no sense.
   */
  batch<const I extends readonly RequestItem[]>(items: I, options?: BatchOptions): Promise<Answers<I>>;
  /**
   * A batch with the header of its response, which holds the server's time, its Server Hashed Password, and the Nonce
   * and Attestation Types where it asks for attestation.
   *
   * @example
   * const { header, items } = await client.send([item("Ping", {})]);
   * const ahead = header.timeStamp.getTime() - Date.now();
   */
  send<const I extends readonly RequestItem[]>(
    items: I,
    options?: BatchOptions,
  ): Promise<{ header: ResponseHeader; items: Answers<I> }>;
  /**
   * Runs one operation and returns its payload. Throws `KmipError` with the Result Reason as `code`. An answer that the
   * server gives later (`header: { asynchronousIndicator: "Mandatory" }`, and servers that decide so) is waited for; when
   * `signal` aborts, the server is told to cancel and the reason is thrown; it may have been done by then.
   */
  request<O extends OperationName>(
    operation: O,
    payload: RequestPayload<O>,
    options?: BatchOptions & { signal?: AbortSignal | undefined },
  ): Promise<ResponsePayload<O>>;
};

/** A request item, with the payload's type checked against the operation. */
export function item<O extends OperationName>(
  operation: O,
  payload: RequestPayload<O>,
  framing: Omit<RequestItemOf<O>, "operation" | "payload"> = {},
): RequestItemOf<O> {
  return { ...framing, operation, payload } as RequestItemOf<O>;
}

/** The payload of an answer. Throws `KmipError` unless the operation succeeded. */
export function payloadOf<T>(answer: ResponseItem & { payload?: T }): NonNullable<T> {
  const { resultStatus, resultReason, resultMessage, operation, payload } = answer;
  if (resultStatus !== "Success")
    throw new KmipError(resultReason ?? "GeneralFailure", resultMessage, operation);
  return (payload ?? {}) as NonNullable<T>;
}

/** Gives each item of a batch an identifier, which 1.x demands of more than one (KMIP 1.4 §6.4 Unique Batch Item ID). */
function identified(items: readonly RequestItem[]): RequestItem[] {
  if (items.length < 2) return [...items];
  return items.map((request, position) => ({
    ...request,
    uniqueBatchItemId: request.uniqueBatchItemId ?? new Uint8Array([position >> 8, position]),
  }));
}

/** Puts answers to their requests by Unique Batch Item ID (KMIP 2.1 §9.21) or, where there is none, by position. */
function match(requests: readonly RequestItem[], answers: ResponseItem[]): ResponseItem[] {
  const [first, ...others] = answers;
  const alone = others.length === 0 ? first : undefined;
  if (alone && alone.operation === undefined && alone.resultStatus === "OperationFailed") payloadOf(alone);
  if (answers.length > requests.length) throw new KmipDecodeError("more answers than requests");
  const byId = new Map<string, ResponseItem>();
  for (const answer of answers) {
    if (answer.uniqueBatchItemId !== undefined) byId.set(encodeHex(answer.uniqueBatchItemId), answer);
  }
  const matchById = byId.size > 0 && requests.every((request) => request.uniqueBatchItemId !== undefined);
  if (matchById && byId.size !== answers.length)
    throw new KmipDecodeError("answers with equal or missing identifiers");
  let reached = 0;
  const matched = requests.map((request, position) => {
    const { operation, uniqueBatchItemId } = request;
    const answer =
      matchById && uniqueBatchItemId ? byId.get(encodeHex(uniqueBatchItemId)) : answers[position];
    if (answer === undefined)
      return { operation, resultStatus: "OperationFailed", resultMessage: "not reached" } as ResponseItem;
    reached++;
    // Poll is answered in its place by the operation that was waited for (KMIP 2.1 §6.1.38).
    if (answer.operation !== undefined && answer.operation !== operation && operation !== "Poll")
      throw new KmipDecodeError("answer to another operation");
    return answer;
  });
  if (reached !== answers.length) throw new KmipDecodeError("answer to an item that was not asked");
  return matched;
}

/** Makes a client. It holds no state but its options. */
export function createKmipClient(options: KmipClientOptions): KmipClient {
  const { exchange, version = NEWEST_VERSION, encoding = "ttlv", credentials = [], attest, limits } = options;
  const capable = attest && hasAttestation(version) ? { attestationCapableIndicator: true } : {};

  async function sendOnce(
    { header, items }: RequestMessage,
    attestation?: Credential,
  ): Promise<ResponseMessage> {
    const given =
      header.authentication?.credential ??
      (typeof credentials === "function" ? await credentials() : credentials);
    const credential = attestation ? [...given, attestation] : [...given];
    const authentication = credential.length > 0 ? { credential } : header.authentication;
    const bytes = encodeRequest({ header: { ...header, authentication }, items }, encoding);
    return decodeResponse(await exchange(bytes), { ...limits, encoding });
  }

  async function send(
    given: readonly RequestItem[],
    chosen: BatchOptions = {},
  ): Promise<{ header: ResponseHeader; items: ResponseItem[] }> {
    const items = identified(given);
    const { header, batchOrderOption = items.length > 1 || undefined, ...rest } = chosen;
    const request = {
      header: { protocolVersion: version, ...capable, batchOrderOption, ...rest, ...header },
      items,
    };
    let response = await sendOnce(request);
    const attestation = attest && mayRepeat(response) ? await answered(response.header, attest) : undefined;
    if (attestation) response = await sendOnce(request, attestation);
    return { header: response.header, items: match(items, response.items) };
  }

  return {
    version,
    send: send as KmipClient["send"],
    batch: (async (items: readonly RequestItem[], chosen?: BatchOptions) =>
      (await send(items, chosen)).items) as KmipClient["batch"],
    async request(operation, payload, { signal, ...chosen } = {}) {
      signal?.throwIfAborted();
      const one = async (asked: RequestItem, options?: BatchOptions) => {
        const [answer] = (await send([asked], options)).items;
        if (answer === undefined) throw new KmipDecodeError("no answer");
        return answer;
      };
      const first = await one(item(operation, payload) as RequestItem, chosen);
      return payloadOf(await awaited(first, one, signal)) as ResponsePayload<typeof operation>;
    },
  };
}

/** By what a server of 1.0 refuses Discover Versions in a message of 1.1. */
const OF_OLDER: ReadonlySet<ResultReason> = new Set([
  "OperationNotSupported",
  "UnsupportedProtocolVersion",
  "InvalidMessage",
]);

/**
 * Asks the server for its versions (KMIP 2.1 §6.1.16 Discover Versions) and returns the newest that both know.
 * A server older than Discover Versions (1.0) refuses the operation, or the version of the message, and is taken as 1.0; what
 * else it refuses says nothing of its age, and is thrown. No credential is sent: it may
 * be good for one message only, and not be in the version that is asked in.
 */
export async function negotiateVersion(
  { exchange, encoding = "ttlv", limits = {} }: Pick<KmipClientOptions, "exchange" | "encoding" | "limits">,
  acceptable: readonly ProtocolVersion[] = VERSIONS,
): Promise<ProtocolVersion> {
  const newestFirst = acceptable.filter(isSupported).toReversed();
  // Servers answer in the version of the request, so ask in the oldest that has the operation.
  const client = createKmipClient({ exchange, encoding, limits, version: { major: 1, minor: 1 } });
  try {
    const { protocolVersion } = await client.request("DiscoverVersions", { protocolVersion: newestFirst });
    const shared = newestFirst.find(({ major, minor }) =>
      protocolVersion.some((other) => other.major === major && other.minor === minor),
    );
    if (shared !== undefined) return shared;
  } catch (error) {
    if (!(error instanceof KmipError && OF_OLDER.has(error.code))) throw error;
    const oldest = newestFirst.find(({ major, minor }) => major === 1 && minor === 0);
    if (oldest !== undefined) return oldest;
    throw error;
  }
  throw new KmipError("UnsupportedProtocolVersion", "no version in common", "DiscoverVersions");
}
