/** OpenAPI 3.1 out of the contract. */

import type { Schema } from "../shape.ts";
import { contract, type OperationId, problemsOf } from "./contract.ts";
import { PROBLEM_TYPE, type ProblemCode, problems } from "./problems.ts";
import type { Answer, Authentication, RequestBody, Route } from "./route.ts";
import { problemsOfService, type ServiceRoute, service } from "./service.ts";
import { summaries } from "./words.ts";

const JSON_TYPE = "application/json";
const OCTETS = "application/octet-stream";
const FORM = "application/x-www-form-urlencoded";

/** For apps on this origin, and its vault. */
export function openApiDocument({ app, vault }: { app: string; vault: string }) {
  const schemas: Record<string, Schema> = { Problem: problemSchema };
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [id, route] of Object.entries<Route>(contract)) {
    const described = operation(id as OperationId, route, { vault, schemas });
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: described };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "Coffer",
      version: "1",
      summary: "Keys and documents that the server cannot read",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: app, description: "The app's origin" }],
    paths,
    components: { schemas, securitySchemes },
  };
}

/** Of the service contract: what a microservice, or its sidecar, answers at that address. Callers show a certificate. */
export function serviceDocument(url: string) {
  const security = [{ certificate: [] }];
  const at = { url, description: "The microservice, or its sidecar" };
  const { paths, schemas } = servicePaths((_, route) => ({ security, problems: problemsOfService(route) }));
  const components = { schemas, securitySchemes: { certificate: { type: "mutualTLS" } } };
  return { ...documentOf("Coffer microservice", at), paths, components };
}

/** The same of the CaaS, which says that it does not do some of it. Callers show a token. */
export function caasDocument(url: string) {
  const at = { url, description: "The CaaS" };
  const { paths, schemas } = servicePaths((id) => {
    const own = `caas${id[0]?.toUpperCase()}${id.slice(1)}`;
    const route = Object.hasOwn(contract, own) ? contract[own as OperationId] : undefined;
    return { security: requirements.token, problems: route ? problemsOf(route) : null };
  });
  const { token, proof } = securitySchemes;
  return {
    ...documentOf("Coffer CaaS", at),
    paths,
    components: { schemas, securitySchemes: { token, proof } },
  };
}

function documentOf(title: string, server: { url: string; description: string }) {
  return {
    openapi: "3.1.1",
    info: {
      title,
      version: "1",
      summary: "Operations with keys that nobody can read",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [server],
  };
}

/** `problems`: null for what is not done there. */
type Served = { security: object[]; problems: ProblemCode[] | null };

function servicePaths(served: (id: string, route: ServiceRoute) => Served) {
  const schemas: Record<string, Schema> = { Problem: problemSchema };
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [id, route] of Object.entries<ServiceRoute>(service)) {
    const { query, request, answer } = route;
    const named = namer(id, schemas);
    const { security, problems } = served(id, route);
    const described = {
      operationId: id,
      summary: problems ? wordsOf(id) : `${wordsOf(id)}: not here`,
      security,
      ...(problems && {
        parameters: parametersOf({ answer, query: { required: query ?? {}, optional: {} } }),
        ...(request && { requestBody: { required: true, content: requestContent(request, named) } }),
      }),
      responses: problems
        ? { ...success(answer, named), ...refusals(problems) }
        : refusals(["not-offered", "invalid-token", "invalid-proof"]),
    };
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: described };
  }
  return { paths, schemas };
}

/** `makeDataKeys`: Make data keys. */
function wordsOf(id: string): string {
  const words = id.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words[0]?.toUpperCase() + words.slice(1);
}

type Surroundings = { vault: string; schemas: Record<string, Schema> };

function operation(id: OperationId, route: Route, { vault, schemas }: Surroundings) {
  const named = namer(id, schemas);
  const { request, answer } = route;
  return {
    operationId: id,
    summary: summaries[id] ?? wordsOf(id),
    security: requirements[route.authentication],
    ...(route.site === "vault" && { servers: [{ url: vault, description: "The vault's origin" }] }),
    parameters: parametersOf(route),
    ...(request && { requestBody: { required: true, content: requestContent(request, named) } }),
    responses: { ...success(answer, named), ...refusals(problemsOf(route)) },
  };
}

function namer(id: string, schemas: Record<string, Schema>): Named {
  return (suffix, schema) => {
    const name = id[0]?.toUpperCase() + id.slice(1) + suffix;
    schemas[name] = schema;
    return { $ref: `#/components/schemas/${name}` };
  };
}

function parametersOf({ parameters = {}, query, answer }: Pick<Route, "parameters" | "query" | "answer">) {
  const each = (place: string, required: boolean, members: Readonly<Record<string, { schema: Schema }>>) =>
    Object.entries(members).map(([name, { schema }]) => ({ name, in: place, required, schema }));
  return [
    ...each("path", true, parameters),
    ...each("query", true, query?.required ?? {}),
    ...each("query", false, query?.optional ?? {}),
    ...("octets" in answer && answer.ranges
      ? each("header", false, { Range: { schema: { type: "string" } } })
      : []),
  ];
}

type Named = (suffix: string, schema: Schema) => Schema;

function requestContent(request: RequestBody, named: Named) {
  if ("octets" in request) return { [OCTETS]: { schema: { maxLength: request.limit } } };
  const [type, shape] = "json" in request ? [JSON_TYPE, request.json] : [FORM, request.form];
  return { [type]: { schema: named("Request", shape.schema) } };
}

function success(answer: Answer, named: Named) {
  if ("json" in answer) {
    const content = { [JSON_TYPE]: { schema: named("Answer", answer.json.schema) } };
    return { [answer.status]: { description: "Done", content } };
  }
  if (!("octets" in answer)) return { [answer.status]: { description: "Done" } };
  const content = { [answer.type ?? OCTETS]: {} };
  const whole = { description: "The octets", content };
  return answer.ranges ? { 200: whole, 206: { description: "The range", content } } : { 200: whole };
}

/** Problem documents by status. The code is what a caller acts on. */
function refusals(codes: ProblemCode[]) {
  const byStatus = Object.groupBy(codes, (code) => problems[code].status);
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, codes = []]) => {
      const schema = {
        allOf: [{ $ref: "#/components/schemas/Problem" }, { properties: { code: { enum: codes } } }],
      };
      const description = codes.map((code) => problems[code].title).join("; ");
      return [status, { description, content: { "application/problem+json": { schema } } }];
    }),
  );
}

const problemSchema: Schema = {
  description: "RFC 9457. The full reason stands in the audit log under the request id, and nowhere else.",
  type: "object",
  properties: {
    type: { type: "string", description: `${PROBLEM_TYPE}{code}` },
    title: { type: "string" },
    status: { type: "integer", minimum: 400, maximum: 599 },
    code: { enum: Object.keys(problems) },
    instance: { type: "string", description: "urn:uuid: and the request id" },
    error: { type: "string", description: "At the token endpoint: OAuth's own name (RFC 6749 §5.2)" },
  },
  required: ["type", "title", "status", "code"],
};

const securitySchemes = {
  token: {
    type: "http",
    scheme: "DPoP",
    description:
      "An access token that is bound to a key (RFC 9449 §7.1): `Authorization: DPoP <token>`, and with every request a proof of that key.",
  },
  proof: {
    type: "apiKey",
    in: "header",
    name: "DPoP",
    description:
      "A DPoP proof for this request (RFC 9449 §4): `dpop+jwt`, ES256, used once; with an access token, its hash in `ath`.",
  },
  session: {
    type: "apiKey",
    in: "cookie",
    name: "__Host-coffer",
    description: "The vault's session, on requests of the vault's own documents alone (Origin).",
  },
};

/** Members of one object are demanded together; an empty object demands nothing. */
const requirements: Record<Authentication, Record<string, string[]>[]> = {
  none: [],
  token: [{ token: [], proof: [] }],
  proof: [{ proof: [] }],
  session: [{ session: [] }],
  "session-if-any": [{}, { session: [] }],
  // In the body, which no security scheme describes.
  instance: [],
};
