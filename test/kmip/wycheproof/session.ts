import {
  type Attributes,
  item,
  type KmipClient,
  KmipError,
  type ManagedObject,
  type OperationName,
  payloadOf,
  type RequestItem,
  type RequestPayload,
  type ResponseItem,
  type ResponsePayload,
  type UniqueIdentifier,
} from "#protocol/kmip/index.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type ObjectType = RequestPayload<"Register">["objectType"];

interface Waiting {
  item: RequestItem;
  size: number;
  resolve(answer: ResponseItem): void;
  reject(error: unknown): void;
}

/** Most items, and most bytes of data, of one message. */
const ITEMS = 64;
const BYTES = 256 * 1024;
/** Most operations that are open at one time, where data go in pieces. */
const STREAMS = 16;

/** Asks a server for many things at once: what is asked in one turn of the event loop goes into few messages. */
export class KmipSession {
  #client: KmipClient;
  #pieces: boolean;
  #waiting: Waiting[] = [];
  #registered = new Map<string, Promise<string>>();
  #streams: Promise<unknown>[] = Array.from({ length: STREAMS }, () => Promise.resolve());
  #next = 0;

  /** With `pieces`, data go to the server in three pieces (KMIP 2.1 §7.17 Init Indicator, §7.14 Final Indicator). */
  constructor(client: KmipClient, { pieces = false } = {}) {
    this.#client = client;
    this.#pieces = pieces;
  }

  /** Whether data go in pieces; what cannot need not be asked twice. */
  get inPieces(): boolean {
    return this.#pieces;
  }

  /** The answer to one operation. Throws `KmipError` where the server refused it. */
  async request<O extends OperationName>(
    operation: O,
    payload: RequestPayload<O>,
  ): Promise<ResponsePayload<O>> {
    const size = Object.values(payload).reduce(
      (sum: number, value) => sum + (value instanceof Uint8Array ? value.length : 100),
      0,
    );
    const answer = await new Promise<ResponseItem>((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#send());
      this.#waiting.push({ item: item(operation, payload) as RequestItem, size, resolve, reject });
    });
    return payloadOf(answer) as ResponsePayload<O>;
  }

  /** Encrypt, Decrypt, Sign, Signature Verify, MAC or MAC Verify, whole or in pieces; all the data that came out. */
  async use<O extends "Encrypt" | "Decrypt" | "Sign" | "SignatureVerify" | "MAC" | "MACVerify">(
    operation: O,
    payload: RequestPayload<O> & { data: Bytes },
  ): Promise<ResponsePayload<O>> {
    if (!this.#pieces) return this.request(operation, payload);
    const lane = this.#next++ % STREAMS;
    const streamed = this.#streams[lane]!.then(() => this.#inPieces(operation, payload));
    this.#streams[lane] = streamed.catch(() => {});
    return streamed;
  }

  async #inPieces<O extends OperationName>(
    operation: O,
    payload: RequestPayload<O> & { uniqueIdentifier?: UniqueIdentifier | undefined; data: Bytes },
  ): Promise<ResponsePayload<O>> {
    const { uniqueIdentifier, data } = payload;
    const cuts = [0, Math.min(1, data.length), Math.ceil(data.length / 2), data.length];
    const out: Uint8Array[] = [];
    let correlationValue: Uint8Array | undefined;
    for (let at = 0; ; at++) {
      const piece = data.slice(cuts[at], cuts[at + 1]);
      const framing = { finalIndicator: at === 2, ...(correlationValue ? { correlationValue } : {}) };
      const rest = at === 0 ? { ...payload, initIndicator: true } : { uniqueIdentifier, ...framing };
      const answer = (await this.request(operation, { ...rest, data: piece } as RequestPayload<O>)) as {
        data?: Uint8Array;
        correlationValue?: Uint8Array;
      };
      if (answer.data) out.push(answer.data);
      correlationValue = answer.correlationValue;
      if (at === 2)
        return { ...answer, data: new Uint8Array(Buffer.concat(out)) } as unknown as ResponsePayload<O>;
    }
  }

  /** Registers an object that may be used for everything; the same one only once. */
  register(objectType: ObjectType, object: ManagedObject, attributes: Attributes = {}): Promise<string> {
    const name = JSON.stringify([objectType, object, attributes], (_key, value) => {
      if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
      return typeof value === "bigint" ? value.toString() : value;
    });
    const known = this.#registered.get(name);
    if (known) return known;
    const payload = {
      objectType,
      object,
      attributes: {
        activationDate: new Date(Date.now() - 60_000),
        cryptographicUsageMask: USAGE[objectType as keyof typeof USAGE] as never,
        ...attributes,
      },
    };
    const registered = this.request("Register", payload).then(({ uniqueIdentifier }) => uniqueIdentifier);
    this.#registered.set(name, registered);
    return registered;
  }

  #send(): void {
    while (this.#waiting.length > 0) {
      let count = 0;
      let size = 0;
      for (const one of this.#waiting) {
        size += one.size;
        if (count === ITEMS || (count > 0 && size > BYTES)) break;
        count++;
      }
      const chunk = this.#waiting.splice(0, count);
      this.#client
        .batch(
          chunk.map(({ item }) => item),
          { batchErrorContinuationOption: "Continue" },
        )
        .then((answers) => {
          for (const [index, { resolve }] of chunk.entries()) resolve(answers[index]!);
        })
        .catch((error: unknown) => {
          // A refusal of the whole message is no answer to any of its items.
          const wrong = error instanceof KmipError ? new Error(`message refused: ${error.message}`) : error;
          for (const { reject } of chunk) reject(wrong);
        });
    }
  }
}

const USAGE = {
  SymmetricKey: [
    "Encrypt",
    "Decrypt",
    "WrapKey",
    "UnwrapKey",
    "MACGenerate",
    "MACVerify",
    "DeriveKey",
  ] as const,
  SecretData: ["DeriveKey"] as const,
  PublicKey: ["Verify", "Encrypt", "DeriveKey"] as const,
  PrivateKey: ["Sign", "Decrypt", "DeriveKey"] as const,
};
