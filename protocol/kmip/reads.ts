import type { RequestItem } from "./messages.ts";

/** Operations that change nothing at the server and hold no stream, so that twice is as good as once. */
const READS: ReadonlySet<RequestItem["operation"] | undefined> = new Set([
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
] as const);

/** Whether an operation may be sent again though it may have been done. */
export function isRead(operation: RequestItem["operation"] | undefined): boolean {
  return READS.has(operation);
}
