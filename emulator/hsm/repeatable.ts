import { decodeItem, enumerationOf, tagNumber } from "#protocol/kmip/index.ts";

const BATCH_ITEM = tagNumber("BatchItem");
const OPERATION = tagNumber("Operation");

/** Operations that change nothing at the server and hold no stream, so that twice is as good as once. */
const READS: ReadonlySet<number> = new Set(
  [
    "DiscoverVersions",
    "Query",
    "Ping",
    "Locate",
    "Check",
    "Get",
    "GetAttributes",
    "GetAttributeList",
    "Export",
    "Validate",
  ].map((name) => enumerationOf("Operation")!.byName.get(name)!.value),
);

/** Whether an encoded request only reads; those in another encoding than TTLV are not looked into. */
export function isRepeatable(request: Uint8Array): boolean {
  if (request[0] !== 0x42) return false;
  const message = decodeItem(request, { maximumLength: request.length });
  if (message.type !== "Structure") return false;
  const items = message.value.filter(({ tag }) => tag === BATCH_ITEM);
  return items.every((item) => {
    const operation = item.type === "Structure" ? item.value.find(({ tag }) => tag === OPERATION) : undefined;
    return operation?.type === "Enumeration" && READS.has(operation.value);
  });
}
