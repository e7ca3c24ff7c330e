/** Serves routes as the contract has them: what a request must show and be is checked here, before any domain sees it. */

import type { Hono } from "hono";
import type {
  AnswerOf,
  BodyOf,
  contract,
  ParametersOf,
  QueryOf,
  RequestBody,
  Route,
} from "#protocol/contract/index.ts";
import { checked, type Shape, ShapeError } from "#protocol/shape.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import type { Result } from "../result.ts";
import { readBody, readForm, readJson, requireType } from "./body.ts";
import type { GatewayContext, GatewayEnv } from "./context.ts";
import { withinShare } from "./hsm-share.ts";
import { Refused, unwrap } from "./problem.ts";
import { type SignedIn, signedIn } from "./session.ts";

type Octets<R> = R extends { request: { octets: true; streamed: infer S } }
  ? S extends true
    ? { length: number; stream: ReadableStream }
    : Uint8Array<ArrayBuffer>
  : unknown;

/** What a handler is given: all of it checked. */
export type Given<R extends Route> = {
  c: GatewayContext;
  input: ParametersOf<R> & QueryOf<R>;
  body: R extends { request: { octets: true } }
    ? Octets<R>
    : R extends { request: { form: unknown } }
      ? Map<string, string>
      : BodyOf<R>;
} & (R extends { authentication: "token"; site: "app" } ? { caller: Caller } : unknown) &
  (R extends { authentication: "token"; site: "vault" } ? { caller: InstanceCaller } : unknown) &
  (R extends { authentication: "session" } ? { by: SignedIn } : unknown);

/** Answers as the contract has it, or with a response of its own where there are octets or headers. */
type Outcome<R extends Route> = R extends { answer: { octets: true } }
  ? Promise<Response>
  : Promise<Result<AnswerOf<R>> | Response> | Response;
export type Handler<R extends Route> = (given: Given<R>) => Outcome<R>;

/** One for each route of the contract. */
export type ContractHandlers = { [Id in keyof typeof contract]: Handler<(typeof contract)[Id]> };

/** Adds a route to its site. That the caller has a token (`token`) is checked before: `authenticate` guards the whole area. */
export function serve(site: Hono<GatewayEnv>, id: string, route: Route, handler: Handler<Route>): void {
  site.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ":$1"), async (c) => {
    try {
      const { answer, authentication } = route;
      const by = authentication === "session" ? await signedIn(c) : undefined;
      const input = { ...parametersOf(c, route), ...queryOf(c, route) };
      const body = route.request && (await bodyOf(c, route.request));
      const given = { c, input, body, caller: c.var.caller, by } as Given<Route>;
      const outcome = await withinShare(c, id, () => handler(given));
      c.set("answered", true);
      if (outcome instanceof Response) return outcome;
      const value = unwrap(outcome);
      return "json" in answer ? c.json(value as object, answer.status) : c.body(null, 204);
    } catch (error) {
      if (error instanceof ShapeError) throw malformed(c, id, error);
      throw error;
    }
  });
}

function parametersOf(c: GatewayContext, { parameters = {} }: Route): Record<string, string> {
  return valuesOf(parameters, {}, (name) => c.req.param(name));
}

function queryOf(c: GatewayContext, { query }: Route): Record<string, string> {
  return query ? valuesOf(query.required, query.optional, (name) => c.req.query(name)) : {};
}

type Members = Readonly<Record<string, Shape<string>>>;

function valuesOf(
  required: Members,
  optional: Members,
  read: (name: string) => string | undefined,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, shape] of Object.entries({ ...required, ...optional })) {
    const value = read(name);
    if (value !== undefined || Object.hasOwn(required, name)) values[name] = checked(shape, value);
  }
  return values;
}

async function bodyOf(c: GatewayContext, request: RequestBody): Promise<unknown> {
  const { raw } = c.req;
  // OAuth has errors of its own for what is wrong in a form (RFC 6749 §5.2).
  if ("form" in request) return readForm(raw);
  if ("json" in request) return checked(request.json, await readJson(raw, request.limit));
  requireType(raw, "application/octet-stream");
  if (!request.streamed) return readBody(raw, request.limit);
  const announced = c.req.header("content-length") ?? "";
  if (raw.body === null || !/^\d{1,15}$/.test(announced)) throw new Refused("bad-request");
  const length = Number(announced);
  if (length < 1 || length > request.limit) throw new Refused("too-large");
  return { length, stream: raw.body };
}

/** The caller learns that it is malformed; the place is told to a developer alone, and the value to nobody. */
function malformed(c: GatewayContext, operation: string, { message }: ShapeError): Refused {
  if (c.env.COFFER_ENVIRONMENT === "development") {
    const { requestId } = c.var;
    console.info(JSON.stringify({ event: "malformed-request", requestId, operation, reason: message }));
  }
  return new Refused("bad-request");
}
