/** Bodies of requests, whose refusals are the gateway's. */

import * as body from "#protocol/contract/body.ts";
import { Refused } from "./problem.ts";

const refuse: body.Refuse = (code) => new Refused(code);

/** Throws `Refused` `too-large`. */
export function readBody(request: Request, limit?: number): Promise<Uint8Array<ArrayBuffer>> {
  return body.readBody(request, refuse, limit);
}

/** A JSON body. Its shape is for `serve` to check. Throws `Refused` `unsupported-media-type`, `bad-request`, `too-large`. */
export function readJson(request: Request, limit?: number): Promise<unknown> {
  return body.readJson(request, refuse, limit);
}

/** Throws `Refused` as `readJson` does. */
export function readForm(request: Request): Promise<Map<string, string>> {
  return body.readForm(request, refuse);
}

/** Throws `Refused` `unsupported-media-type` unless the body is of this media type. */
export function requireType(request: Request, type: string): void {
  body.requireType(request, type, refuse);
}
