/** A route of the REST interface as data, and the types that follow from it. */

import type { ObjectOf, Shape } from "../shape.ts";
import type { ProblemCode } from "./problems.ts";

type Members = Readonly<Record<string, Shape<string>>>;

/**
 * What a request has to show. `token`: an access token and a DPoP proof for it (RFC 9449 §7); `proof`: a DPoP proof alone;
 * `session`: the vault's cookie, on the vault's own pages; `session-if-any`: the cookie is looked at, where there is one;
 * `instance`: the body has a proof by the identity key of an enrolled instance.
 */
export type Authentication = "none" | "token" | "proof" | "session" | "session-if-any" | "instance";

/** A body: JSON or a form of a shape, or octets. Limits in bytes; without one, 64 KiB. */
export type RequestBody =
  | { readonly json: Shape<unknown>; readonly limit?: number }
  | { readonly form: Shape<unknown> }
  /** `streamed`: its length is told ahead (Content-Length), and it is held in no memory. */
  | { readonly octets: true; readonly limit: number; readonly streamed: boolean };

/** JSON of a shape, octets (of a media type of their own, where one is named), or nothing. With `ranges` a part can be asked for (RFC 9110 §14), and is answered with 206. */
export type Answer =
  | { readonly status: 200 | 201; readonly json: Shape<unknown> }
  | { readonly status: 200; readonly octets: true; readonly ranges: boolean; readonly type?: string }
  | { readonly status: 204 };

export type Route = {
  /** On which origin: that of an app, or the vault's. */
  readonly site: "app" | "vault";
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With `{name}` for each of `parameters`. */
  readonly path: `/${string}`;
  readonly authentication: Authentication;
  readonly parameters?: Members;
  readonly query?: { readonly required: Members; readonly optional: Members };
  readonly request?: RequestBody;
  readonly answer: Answer;
  /** What may be wrong here, apart from what follows from the rest (`problemsOf`). */
  readonly problems: readonly ProblemCode[];
};

export type JsonRoute = Route & { readonly answer: { readonly json: Shape<unknown> } };

export type ParametersOf<R extends Route> = R extends { parameters: infer P extends Members }
  ? { [K in keyof P]: string }
  : unknown;

export type QueryOf<R extends Route> = R extends {
  query: { required: infer P extends Members; optional: infer O extends Members };
}
  ? ObjectOf<P, O>
  : unknown;

/** Octets that are streamed are the caller's to type. */
export type BodyOf<R extends Route> = R extends { request: { json: Shape<infer T> } }
  ? T
  : R extends { request: { form: Shape<infer T> } }
    ? T
    : unknown;

export type AnswerOf<R extends Route> = R extends { answer: { json: Shape<infer T> } } ? T : unknown;

/** A route's path with its parameters in their places. */
export function pathOf(route: Route, parameters: Readonly<Record<string, string>> = {}): string {
  return route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ""));
}
