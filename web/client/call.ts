/** The typed client of the REST contract: a route and what it takes, for what it answers, checked. */

import { emptyAnswer } from "#protocol/answer.ts";
import {
  type AnswerOf,
  type BodyOf,
  type JsonRoute,
  type ParametersOf,
  pathOf,
  type QueryOf,
  type Route,
} from "#protocol/contract/index.ts";
import type { RequestOptions, RestClient } from "./rest.ts";

type Input<R extends Route> = ParametersOf<R> & QueryOf<R>;
type Options = Pick<RequestOptions, "signal" | "tries">;
type EmptyRoute = Route & { answer: { status: 204 } };
type OctetsRoute = Route & { answer: { octets: true } };
/** Octets are sent as they are, everything else as JSON. */
type Body<R extends Route> = R extends { request: { octets: true } } ? BodyInit : BodyOf<R>;

/** A route that answers JSON: what it says, if status, type, size and shape are as the contract has them. Errors as of `send`. */
export function callJson<const R extends JsonRoute>(
  rest: Pick<RestClient, "json">,
  route: R,
  input: Input<R>,
  body: Body<R>,
  options: Options = {},
): Promise<AnswerOf<R>> {
  const { status, json } = route.answer as Extract<Route["answer"], { json: unknown }>;
  const request = { ...options, ...bodyFor(route, body), status, shape: json };
  return rest.json(route.method, addressOf(route, input), request) as Promise<AnswerOf<R>>;
}

/** A route that answers by its status alone. */
export function callEmpty<const R extends EmptyRoute>(
  rest: Pick<RestClient, "send">,
  route: R,
  input: Input<R>,
  body: Body<R>,
  options: Options = {},
): Promise<void> {
  return rest.send(
    route.method,
    addressOf(route, input),
    { ...options, ...bodyFor(route, body) },
    emptyAnswer,
  );
}

/** A route that answers octets, of which `read` takes what it asked for. */
export function callOctets<const R extends OctetsRoute, T>(
  rest: Pick<RestClient, "send">,
  route: R,
  input: Input<R>,
  read: (response: Response) => Promise<T>,
  options: Options & Pick<RequestOptions, "headers"> = {},
): Promise<T> {
  return rest.send(route.method, addressOf(route, input), options, read);
}

/** Path and query. */
function addressOf(route: Route, input: unknown): string {
  const given = input as Readonly<Record<string, string | undefined>>;
  const named = Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined);
  const path = pathOf(route, Object.fromEntries(named));
  const query = new URLSearchParams(named.filter(([name]) => !Object.hasOwn(route.parameters ?? {}, name)));
  return query.size > 0 ? `${path}?${query}` : path;
}

function bodyFor(
  { method, request }: Route,
  body: unknown,
): Pick<RequestOptions, "json" | "body" | "headers"> {
  if (request && "octets" in request)
    return { body: body as BodyInit, headers: { "content-type": "application/octet-stream" } };
  return method === "POST" || request ? { json: body ?? {} } : {};
}
