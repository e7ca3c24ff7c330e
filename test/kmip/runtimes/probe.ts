import { decodeHex, encodeHex } from "#protocol/bytes.ts";
import {
  createKmipClient,
  decodeItem,
  decodeRequest,
  type Encoding,
  encodeItem,
  encodeResponse,
  type Item,
  requestFromItem,
  requestToItem,
  responseFromItem,
  responseToItem,
  tagNumber,
} from "#protocol/kmip/index.ts";

/**
 * Work for the codec and the client that any runtime can do: the same source runs in Node, in workerd and in Chromium, and
 * what it returns is text that must be the same everywhere. May import protocol/ only.
 */

export interface Message {
  /** Hexadecimal. */
  bytes: string;
  encoding: Encoding;
}

/** For each message, what became of it: all three encodings, and the typed message, or how it was refused. */
export async function probe(messages: Message[]): Promise<string[]> {
  return [...messages.map((message) => outcome(() => transcoded(message))), await exchanged().catch(String)];
}

const ENCODINGS = ["ttlv", "json", "xml"] as const;

/** A message through each encoding and back, and through the typed messages and back. */
function transcoded({ bytes, encoding }: Message): string {
  const item = decodeItem(decodeHex(bytes), { encoding });
  const encodings = ENCODINGS.map((each) => {
    const encoded = encodeItem(item, each);
    const back = encodeHex(encodeItem(decodeItem(encoded, { encoding: each })));
    if (back !== encodeHex(encodeItem(item))) throw new Error(`${each} does not come back`);
    return encodeHex(encoded);
  });
  return [...encodings, outcome(() => encodeHex(encodeItem(retyped(item))))].join("\n");
}

function retyped(item: Item): Item {
  return item.tag === tagNumber("RequestMessage")
    ? requestToItem(requestFromItem(item))
    : responseToItem(responseFromItem(item));
}

/** The client's request and its answer, with a server that gives one key for everything. */
async function exchanged(): Promise<string> {
  let sent = "";
  const client = createKmipClient({
    exchange: async (request) => {
      sent = encodeHex(request);
      const { header, items } = decodeRequest(request);
      return encodeResponse({
        header: { protocolVersion: header.protocolVersion, timeStamp: new Date(1e12) },
        items: items.map(({ operation, uniqueBatchItemId }) => ({
          operation,
          ...(uniqueBatchItemId ? { uniqueBatchItemId } : {}),
          resultStatus: "Success",
          payload: { objectType: "SymmetricKey", uniqueIdentifier: "key" },
        })) as never,
      });
    },
  });
  const { uniqueIdentifier } = await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      cryptographicAlgorithm: "AES",
      cryptographicLength: 256,
      cryptographicUsageMask: ["Encrypt", "Decrypt"],
      name: [{ nameValue: "Schlüssel 🔑", nameType: "UninterpretedTextString" }],
    },
  });
  return `${sent} ${uniqueIdentifier}`;
}

function outcome(work: () => string): string {
  try {
    return work();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}
