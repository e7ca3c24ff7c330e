import type { RequestItem } from "./messages.ts";
import { PAYLOADS } from "./payloads.ts";

/** Whether an operation may be sent again though it may have been done. */
export function isRead(operation: RequestItem["operation"] | undefined): boolean {
  return typeof operation === "string" && Object.hasOwn(PAYLOADS, operation) && PAYLOADS[operation].reads;
}
