import { decodeItem, enumerationOf, isRead, type OperationName, tagNumber } from "#protocol/kmip/index.ts";

const BATCH_ITEM = tagNumber("BatchItem");
const OPERATION = tagNumber("Operation");
const BY_CODE = enumerationOf("Operation").byValue;

/** Whether an encoded request only reads; those in another encoding than TTLV are not looked into. */
export function isRepeatable(request: Uint8Array): boolean {
  if (request[0] !== 0x42) return false;
  const message = decodeItem(request, { maximumLength: request.length });
  if (message.type !== "Structure") return false;
  const items = message.value.filter(({ tag }) => tag === BATCH_ITEM);
  return items.every((item) => {
    const operation = item.type === "Structure" ? item.value.find(({ tag }) => tag === OPERATION) : undefined;
    return operation?.type === "Enumeration" && isRead(BY_CODE.get(operation.value)?.name as OperationName);
  });
}
