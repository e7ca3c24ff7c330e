/** The messages that pass a port, checked in both directions. */
import { CofferError, type ErrorCode, errorCode } from "../error.ts";
import { anything, bytes, checked, literal, object, type Shape, union, whole } from "../shape.ts";
import { PORT_OPERATIONS, PORT_VERSION, type PortOperation, type Result } from "./operations.ts";

/** Longest chunk of a stream, bytes. */
export const CHUNK = 1 << 20;
/** Bytes that a sender may have under way before the receiver's consumer has taken them. */
export const WINDOW = 4 * CHUNK;
/** A receiver gives credit back in pieces of at least so many bytes: less than what keeps a sender waiting. */
export const CREDIT = CHUNK / 2;
/** Calls under way at a time on one port. */
export const CALLS = 32;

export type Call = { v: 1; type: "call"; id: number; op: PortOperation; params: unknown };
export type Message =
  | Call
  | { v: 1; type: "result"; id: number; value: unknown }
  | { v: 1; type: "error"; id: number; code: ErrorCode }
  | { v: 1; type: "chunk"; id: number; bytes: ArrayBuffer }
  | { v: 1; type: "end"; id: number }
  | { v: 1; type: "credit"; id: number; bytes: number }
  | { v: 1; type: "cancel"; id: number };

const v = literal(PORT_VERSION);
const id = whole(1);
const OPERATION_NAMES = Object.keys(PORT_OPERATIONS) as PortOperation[];
const message = union("type", {
  call: object({ v, type: literal("call"), id, op: literal(...OPERATION_NAMES), params: anything }),
  result: object({ v, type: literal("result"), id, value: anything }),
  error: object({ v, type: literal("error"), id, code: errorCode }),
  chunk: object({ v, type: literal("chunk"), id, bytes: bytes(CHUNK) }),
  end: object({ v, type: literal("end"), id }),
  credit: object({ v, type: literal("credit"), id, bytes: whole(1, WINDOW) }),
  cancel: object({ v, type: literal("cancel"), id }),
});

/** Ends a port: the other side does not keep to the protocol. */
export function violation(cause?: unknown): never {
  throw new CofferError("port-violation", { cause });
}

/**
 * Checks one message; throws `port-violation`. Params are checked against their operation's shape; the value of a
 * `result` by `checkResult`, as only the caller knows which operation it answers.
 */
export function checkMessage(value: unknown): Message {
  const known: Message = take(message, value);
  if (known.type === "call") take(PORT_OPERATIONS[known.op].params, known.params);
  return known;
}

/** Checks the value that answers `op`, going out as well as coming in. */
export function checkResult<O extends PortOperation>(op: O, value: unknown): Result<O> {
  return take(PORT_OPERATIONS[op].result as Shape<Result<O>>, value);
}

function take<T>(shape: Shape<T>, value: unknown): T {
  try {
    return checked(shape, value);
  } catch (cause) {
    violation(cause);
  }
}
