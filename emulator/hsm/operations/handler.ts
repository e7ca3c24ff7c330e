import type { OperationName, RequestPayload, ResponsePayload } from "#protocol/kmip/index.ts";
import type { Context } from "./context.ts";

/** Executes one operation; throws `KmipError`, after which none of its changes are kept. */
export type Handler<O extends OperationName> = (
  payload: RequestPayload<O>,
  context: Context,
) => ResponsePayload<O> | Promise<ResponsePayload<O>>;
