import { join } from "#protocol/bytes.ts";
import { type BackEndSettings, named } from "#protocol/hierarchy/index.ts";
import {
  type Answers,
  type BatchOptions,
  createKmipClient,
  type ProtocolVersion,
  type RequestItem,
  type ResponseItem,
} from "#protocol/kmip/index.ts";
import { checkStanding } from "./back-end.ts";
import { derToRaw } from "./ecdsa.ts";
import { Gathered } from "./gathered.ts";
import { inVersion, saidIn } from "./older.ts";
import { inRuns, operationsIn } from "./operations.ts";
import { agreeVersion, askKmip, type KmipStanding } from "./standing.ts";

/** The HSM did not answer. A refusal by the HSM is a `KmipError` instead. */
export class HsmUnavailable extends Error {
  override readonly name = "HsmUnavailable";
}

/** The HSM answered, but not what was asked for: it lacks what every deployment has, or gives it in another form. */
export class UnexpectedAnswer extends Error {
  override readonly name = "UnexpectedAnswer";
}

/** What carries a request to the HSM: a binding in workerd, anything like it elsewhere. */
export type HsmFetcher = { fetch(url: string, init: RequestInit): Promise<Response> };

type KmipClient = ReturnType<typeof createKmipClient>;

/** Told of each message as it goes out, by the operations in it; what is called when the answer is there. */
export type HsmWatch = (operations: string) => () => void;

/** What batches go to. `leavesNothing`: whether none of them leaves anything there. `began`: called when the items go out, where they waited for that. */
export type Batches = {
  leavesNothing?: true;
  batch<const I extends readonly RequestItem[]>(
    items: I,
    options?: BatchOptions,
    began?: () => void,
  ): Promise<Answers<I>>;
};

export type Hsm = Pick<KmipClient, "batch" | "request"> & {
  /** For batches that leave nothing there, each with Continue and in order: those that come while one is under way go out in one message. */
  together: Batches & { leavesNothing: true };
  /** The same for those that are long: up to three messages are under way, and none of `together` waits for them. */
  apart: Batches & { leavesNothing: true };
  /** The same, with all that is kept, for what is to be told of. */
  watched(watch: HsmWatch): Hsm;
  /** What it keeps as a tenant's back end, known for a minute. Throws `BackEndRefused` where the tenant asks for more. */
  standing(): Promise<KmipStanding>;
  /** Unique identifier of the one object with this Name. Kept for a minute; throws if there is not exactly one. */
  locate(name: string): Promise<string>;
  /** SubjectPublicKeyInfo (DER) of the public key object with this name. Kept as long. */
  publicKey(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** DER of the certificate object with this name. Kept as long. */
  certificate(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Value of the opaque object with this name. Read each time. */
  opaque(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** ECDSA P-256 with SHA-256 over `data` by the private key with this name: raw r || s, 64 bytes. */
  sign(name: string, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
};

const isAway = (error: unknown) => error instanceof HsmUnavailable;

/** What becomes of one item is nothing to the next. */
const APART = { batchErrorContinuationOption: "Continue", batchOrderOption: true } as const;

/** Messages of long batches of one object that are under way at a time. */
const LANES = 3;

const TIMEOUT_MS = 10_000;
/** A key or a certificate that the officer replaces is known a minute later, to all objects of a deployment alike. */
const KEPT_MS = 60_000;
/** KMIP answers here are small; what is larger is not read to its end. */
const MAXIMUM_RESPONSE = 1024 * 1024;

/** What this isolate knows of the server at an address: values alone, since no promise of one request may be awaited by another. */
const versions = new Map<string, { value: ProtocolVersion; until: number }>();
const standings = new Map<string, { value: KmipStanding; until: number }>();

async function known<T>(
  kept: Map<string, { value: T; until: number }>,
  key: string,
  ask: () => Promise<T>,
  isSure: (value: T) => boolean = () => true,
): Promise<T> {
  const found = kept.get(key);
  if (found !== undefined && Date.now() < found.until) return found.value;
  const value = await ask();
  if (isSure(value)) kept.set(key, { value, until: Date.now() + KEPT_MS });
  return value;
}

/** 1.0 is what is assumed of a server that refuses to be asked, every tenant's at once: that is asked again each time. */
function isSaid(version: ProtocolVersion): boolean {
  return version.major > 1 || version.minor > 0;
}

/**
 * Opens the client. Keep it as long as the Durable Object lives; it holds names and public material, no secret. It speaks the newest
 * version that the server has. `backEnd`: of the tenant whose keys are asked for. Then nothing is asked of a server that keeps less.
 */
export function openHsm(fetcher: HsmFetcher, url: string, backEnd?: BackEndSettings): Hsm {
  return openAt({
    fetcher,
    url,
    backEnd,
    kept: new Map(),
    gathered: new Gathered(isAway),
    lanes: Array.from({ length: LANES }, () => new Gathered(isAway)),
  });
}

type At = {
  fetcher: HsmFetcher;
  url: string;
  backEnd: BackEndSettings | undefined;
  kept: Map<string, { reading: Promise<unknown>; until: number }>;
  gathered: Gathered;
  lanes: Gathered[];
  watch?: HsmWatch;
};

function openAt(at: At): Hsm {
  const { fetcher, url, backEnd, kept, gathered, lanes, watch } = at;
  const carry = async (bytes: Uint8Array) => {
    const answered = watch?.(operationsIn(bytes));
    return exchange(fetcher, url, bytes).finally(answered);
  };
  const place = `${url} ${backEnd?.newest ?? ""}`;
  const agreed = () => known(versions, place, () => agreeVersion(carry, backEnd?.newest), isSaid);
  async function standing(): Promise<KmipStanding> {
    const found = await known(
      standings,
      place,
      async () => askKmip(carry, await agreed()),
      ({ sure }) => sure,
    );
    if (backEnd) checkStanding(found, backEnd);
    return found;
  }
  async function connected() {
    const found = backEnd ? await standing() : { version: await agreed(), keeps: null };
    return { ...found, hsm: createKmipClient({ exchange: carry, version: found.version }) };
  }
  const client: Pick<KmipClient, "batch" | "request"> = {
    batch: (async (items, options) => {
      const { hsm, ...of } = await connected();
      return saidIn(of.version, () => hsm.batch(inVersion(of, items), options));
    }) as KmipClient["batch"],
    request: (async (operation, payload, options) => {
      const { hsm, ...of } = await connected();
      return saidIn(of.version, () => hsm.request(operation, inVersion(of, payload), options));
    }) as KmipClient["request"],
  };

  const inTurn = (turns: () => Gathered): Hsm["together"] => ({
    leavesNothing: true,
    batch: (async (items, _options, sent) => {
      // A message is told to each whose items are in it, as far as they are its own.
      const { watch: _, ...untold } = at;
      const send = (all: readonly RequestItem[]) =>
        (watch ? openAt(untold) : client).batch(all, APART) as Promise<ResponseItem[]>;
      let answered: (() => void) | undefined;
      const began = () => {
        sent?.();
        answered = watch?.(inRuns(items.map(({ operation }) => String(operation))));
      };
      return turns()
        .batch(items, send, began)
        .finally(() => answered?.());
    }) as Batches["batch"],
  });

  function once<T>(key: string, read: () => Promise<T>): Promise<T> {
    const known = kept.get(key);
    if (known !== undefined && Date.now() < known.until) return known.reading as Promise<T>;
    const reading = read();
    kept.set(key, { reading, until: Date.now() + KEPT_MS });
    reading.catch(() => kept.delete(key));
    return reading;
  }

  const hsm: Hsm = {
    ...client,
    together: inTurn(() => gathered),
    apart: inTurn(() => {
      const lane = lanes.shift() ?? gathered;
      lanes.push(lane);
      return lane;
    }),
    standing,
    watched: (watch) => openAt({ ...at, watch }),
    locate: (name) =>
      once(`locate ${name}`, async () => {
        const { uniqueIdentifier = [] } = await client.request("Locate", {
          attributes: { name: named(name) },
        });
        const [id, ...others] = uniqueIdentifier;
        if (id === undefined || others.length > 0) {
          throw new UnexpectedAnswer(`The HSM has ${uniqueIdentifier.length} objects named ${name}`);
        }
        return id;
      }),
    publicKey: (name) =>
      once(`public ${name}`, async () => {
        const uniqueIdentifier = await hsm.locate(name);
        const { object } = await client.request("Get", { uniqueIdentifier, keyFormatType: "X_509" });
        const value = object.publicKey?.keyBlock.keyValue;
        if (
          value === undefined ||
          value instanceof Uint8Array ||
          !(value.keyMaterial instanceof Uint8Array)
        ) {
          throw new UnexpectedAnswer(`${name} is not a public key`);
        }
        return copy(value.keyMaterial);
      }),
    certificate: (name) =>
      once(`certificate ${name}`, async () => {
        const { object } = await client.request("Get", { uniqueIdentifier: await hsm.locate(name) });
        if (!object.certificate) throw new UnexpectedAnswer(`${name} is not a certificate`);
        return copy(object.certificate.certificateValue);
      }),
    async opaque(name) {
      // The officer replaces an old object by a new one, with another identifier.
      kept.delete(`locate ${name}`);
      const { object } = await client.request("Get", { uniqueIdentifier: await hsm.locate(name) });
      if (!object.opaqueObject) throw new UnexpectedAnswer(`${name} is not an opaque object`);
      return copy(object.opaqueObject.opaqueDataValue);
    },
    async sign(name, data) {
      const { signatureData } = await client.request("Sign", {
        uniqueIdentifier: await hsm.locate(name),
        cryptographicParameters: { digitalSignatureAlgorithm: "ECDSAWithSHA256" },
        data,
      });
      return rawSignature(signatureData);
    },
  };
  return hsm;
}

/** The raw r || s in the answer to Sign, of so many bytes each. */
export function rawSignature(
  signatureData: Uint8Array | undefined,
  length: 32 | 48 = 32,
): Uint8Array<ArrayBuffer> {
  if (signatureData === undefined) throw new UnexpectedAnswer("The HSM answered Sign without a signature");
  try {
    return derToRaw(signatureData, length);
  } catch (cause) {
    throw new UnexpectedAnswer("The HSM's signature is none", { cause });
  }
}

async function exchange(fetcher: HsmFetcher, url: string, body: Uint8Array): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetcher.fetch(url, {
      method: "POST",
      headers: { "content-type": "application/octet-stream", "cache-control": "no-store" },
      body: copy(body),
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new HsmUnavailable("The HSM cannot be reached", { cause });
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new HsmUnavailable(`The HSM answered with HTTP status ${response.status}`);
  }
  return readBounded(response);
}

/** Counts what comes: a length that was announced, or none, says nothing. */
async function readBounded({ body }: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of body ?? []) {
      length += chunk.length;
      // Leaving the loop cancels the rest.
      if (length > MAXIMUM_RESPONSE) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new HsmUnavailable("The HSM's answer broke off", { cause });
  }
  if (length > MAXIMUM_RESPONSE) throw new HsmUnavailable("The HSM's answer is too long");
  return join(chunks);
}

function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
