import {
  AbsentInVersion,
  checkAnswer,
  KmipError,
  type RequestItem,
  type ResponseItem,
  type ResultReason,
} from "#protocol/kmip/index.ts";
import type { Log } from "../log.ts";
import type { Asker } from "../operations/context.ts";
import { Conflict } from "../store/work.ts";

/** Why something was refused, in the words for the client. */
export interface Failure {
  code: ResultReason;
  message: string;
}

/** What the client is told: our own words and reasons, and of other failures nothing. */
export function told(error: unknown, log: Log): Failure {
  if (error instanceof KmipError) return error;
  if (error instanceof Conflict)
    return { code: "GeneralFailure", message: "The object was changed by another request: ask again" };
  log({ event: "failure", error: error instanceof Error ? error.message : "unknown" });
  return { code: "GeneralFailure", message: "The server failed" };
}

/** What an answer repeats of the item that it answers. */
export function framing({ operation, uniqueBatchItemId }: RequestItem | ResponseItem) {
  return { operation, ...(uniqueBatchItemId === undefined ? {} : { uniqueBatchItemId }) };
}

/** Nothing is done whose answer the client's version cannot carry: it comes before the commit. */
export function checkCarried(operation: string | number, payload: unknown, { version }: Asker): void {
  if (version.major === 2 && version.minor === 1) return;
  try {
    checkAnswer(operation, payload, version);
  } catch (error) {
    if (!(error instanceof AbsentInVersion)) throw error;
    throw new KmipError("FeatureNotSupported", error.message);
  }
}

export function failed(item: RequestItem, { code, message }: Failure): ResponseItem {
  return {
    ...framing(item),
    resultStatus: "OperationFailed",
    resultReason: code,
    resultMessage: message,
  } as ResponseItem;
}

/** What is undone reveals nothing but which object it was about (BL-M-2). */
export function undone(answer: ResponseItem): ResponseItem {
  const payload = "payload" in answer ? (answer.payload as object) : undefined;
  const only = payload && Object.keys(payload).every((key) => key === "uniqueIdentifier");
  return {
    ...framing(answer),
    resultStatus: "OperationUndone",
    ...(only ? { payload } : {}),
  } as ResponseItem;
}
