/** The messages that pass a port, checked in both directions. */
import { OPERATIONS, type Operation, PORT_VERSION, type Result } from "./operations.ts";
import { bytes, literal, object, text, violation, whole } from "./shape.ts";

/** Longest chunk of a stream, bytes. */
export const CHUNK = 1 << 20;
/** Bytes that a sender may have under way before the receiver's consumer has taken them. */
export const WINDOW = 4 * CHUNK;
/** A receiver gives credit back in pieces of at least so many bytes: less than what keeps a sender waiting. */
export const CREDIT = CHUNK / 2;
/** Calls under way at a time on one port. */
export const CALLS = 32;

export type Call = { v: 1; type: "call"; id: number; op: Operation; params: unknown };
export type Message =
  | Call
  | { v: 1; type: "result"; id: number; value: unknown }
  | { v: 1; type: "error"; id: number; code: string }
  | { v: 1; type: "chunk"; id: number; bytes: ArrayBuffer }
  | { v: 1; type: "end"; id: number }
  | { v: 1; type: "credit"; id: number; bytes: number }
  | { v: 1; type: "cancel"; id: number };

const v = literal(PORT_VERSION);
const id = whole(1, Number.MAX_SAFE_INTEGER);
const SHAPES = {
  error: object({ v, type: literal("error"), id, code: text(64, /^[a-z][a-z0-9-]*$/) }),
  chunk: object({ v, type: literal("chunk"), id, bytes: bytes(CHUNK) }),
  end: object({ v, type: literal("end"), id }),
  credit: object({ v, type: literal("credit"), id, bytes: whole(1, WINDOW) }),
  cancel: object({ v, type: literal("cancel"), id }),
};
const envelope = object({ v, type: literal("call"), id, op: text(16), params: () => undefined });
const answer = object({ v, type: literal("result"), id, value: () => undefined });

/**
 * Checks one message; throws `port-violation`. Params are checked against their operation's shape; the value of a
 * `result` by `checkResult`, as only the caller knows which operation it answers.
 */
export function checkMessage(value: unknown): Message {
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
  if (type === "call") {
    const call = envelope(value);
    if (!Object.hasOwn(OPERATIONS, call.op)) violation();
    OPERATIONS[call.op as Operation].params(call.params);
  } else if (type === "result") {
    answer(value);
  } else {
    if (typeof type !== "string" || !Object.hasOwn(SHAPES, type)) violation();
    SHAPES[type as keyof typeof SHAPES](value);
  }
  return value as Message;
}

/** Checks the value that answers `op`, going out as well as coming in. */
export function checkResult<O extends Operation>(op: O, value: unknown): Result<O> {
  return OPERATIONS[op].result(value) as Result<O>;
}
