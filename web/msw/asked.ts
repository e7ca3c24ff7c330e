/** What a request must be like at a route: the checks that the gateway makes before anything of the deployment is asked. */

import { type Refuse, readForm, readJson } from "#protocol/contract/body.ts";
import { type ProblemCode, problems, type Route } from "#protocol/contract/index.ts";
import { fits, type Shape } from "#protocol/shape.ts";

/** A request that was taken. `json`: its body, of JSON or a form; octets stay in `request`. */
export type Asked = {
  request: Request;
  parameters: Record<string, string>;
  query: Record<string, string>;
  json: unknown;
};

/** The code of a problem that a route is to answer. */
export class Refused extends Error {
  readonly code: ProblemCode;
  constructor(code: ProblemCode) {
    super(problems[code].title);
    this.code = code;
  }
}

type Members = Readonly<Record<string, Shape<unknown>>>;

/** Error: `Refused`. */
export async function taken(
  route: Route,
  request: Request,
  given: Readonly<Record<string, string | readonly string[] | undefined>>,
): Promise<Asked> {
  const { authentication } = route;
  const dpop = request.headers.has("dpop");
  if (authentication === "token" && !/^DPoP .+/.test(request.headers.get("authorization") ?? ""))
    throw new Refused("invalid-token");
  if ((authentication === "token" || authentication === "proof") && !dpop) throw new Refused("invalid-proof");
  const search = Object.fromEntries(new URL(request.url).searchParams);
  const { required = {}, optional = {} } = route.query ?? {};
  return {
    request,
    parameters: valuesOf(route.parameters ?? {}, {}, given),
    query: valuesOf(required, optional, search),
    json: await bodyOf(route, request),
  };
}

function valuesOf(
  required: Members,
  optional: Members,
  given: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, shape] of Object.entries({ ...required, ...optional })) {
    const value = given[name];
    if (value === undefined && !Object.hasOwn(required, name)) continue;
    if (typeof value !== "string" || !fits(shape, value)) throw new Refused("bad-request");
    values[name] = value;
  }
  return values;
}

const refuse: Refuse = (code) => new Refused(code);

/** The request stays whole, for the answer to read. */
async function bodyOf({ request: body }: Route, request: Request): Promise<unknown> {
  if (body === undefined || "octets" in body) return undefined;
  const [form, copy] = ["form" in body, request.clone()];
  const value = form
    ? Object.fromEntries(await readForm(copy, refuse))
    : await readJson(copy, refuse, "limit" in body ? body.limit : undefined);
  if (!fits("form" in body ? body.form : body.json, value)) throw new Refused("bad-request");
  return value;
}
