import { describe, expect, it } from "vitest";
import { fits } from "../shape.ts";
import {
  contract,
  openApiDocument,
  pathOf,
  problemsOf,
  type Route,
  readContent,
  tokenRequest,
  uploadPart,
} from "./index.ts";

const routes = Object.entries<Route>(contract);

describe("contract", () => {
  it("has each route once, with a shape for each parameter of its path", () => {
    const places = routes.map(([, { site, method, path }]) => `${site} ${method} ${path}`);
    expect(new Set(places).size).toBe(places.length);
    for (const [id, { path, parameters = {} }] of routes) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(parameters), id).toEqual(named);
      expect(path, id).toMatch(/^(\/([\w.-]+|\{\w+\}))+$/);
    }
  });

  it("says of every route that changes something who may, and of every body how long it is", () => {
    for (const [id, route] of routes) {
      if (route.method !== "GET") expect(route.authentication, id).not.toBe("none");
      if (route.request) expect(problemsOf(route), id).toContain("too-large");
      expect(problemsOf(route), id).toContain("internal");
    }
  });

  it("puts parameters into paths so that none becomes two", () => {
    expect(pathOf(readContent, { account: "a", id: "../a/b?c#d" })).toBe(
      "/accounts/a/documents/..%2Fa%2Fb%3Fc%23d/content",
    );
    expect(pathOf(uploadPart, { account: "a", id: "x", part: "7" })).toBe("/accounts/a/documents/x/parts/7");
    for (const part of ["0", "01", "10001", "1e3", "-1", "", "x"])
      expect(fits(uploadPart.parameters.part, part), part).toBe(false);
    expect(fits(uploadPart.parameters.part, "10000")).toBe(true);
  });

  it("takes OAuth's token requests, with members that it does not know", () => {
    const code_verifier = "v".repeat(43);
    const code = {
      grant_type: "authorization_code",
      client_id: "c",
      code: "c",
      redirect_uri: "r",
      code_verifier,
    };
    expect(fits(tokenRequest, { ...code, resource: "x" })).toBe(true);
    expect(fits(tokenRequest, { ...code, code_verifier: "short" })).toBe(false);
    expect(fits(tokenRequest, { ...code, grant_type: "password" })).toBe(false);
    expect(fits(tokenRequest, { grant_type: "refresh_token", client_id: "c", refresh_token: "t" })).toBe(
      true,
    );
  });
});

type Node = { [member: string]: unknown };

describe("OpenAPI 3.1", () => {
  const document = openApiDocument({ app: "https://app.example", vault: "https://vault.example" });
  const json = JSON.parse(JSON.stringify(document)) as Node;
  const nodes = (value: unknown): Node[] =>
    Array.isArray(value)
      ? value.flatMap(nodes)
      : typeof value === "object" && value !== null
        ? [value as Node, ...Object.values(value).flatMap(nodes)]
        : [];
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...(operation as Node) })),
  ) as unknown as {
    path: string;
    method: string;
    operationId: string;
    summary: string;
    security: Record<string, string[]>[];
    parameters: { name: string; in: string; required: boolean; schema: Node }[];
    requestBody?: { content: Node };
    responses: Record<string, { description: string; content?: Record<string, { schema?: Node }> }>;
  }[];

  it("is JSON and says so of itself (§4.8.1)", () => {
    expect(json).toEqual(document);
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({ title: expect.any(String), version: expect.any(String) });
    const known = ["openapi", "info", "servers", "paths", "components"];
    expect(Object.keys(document).filter((name) => !known.includes(name))).toEqual([]);
  });

  it("resolves every $ref, and names every schema that it has", () => {
    const refs = nodes(json).flatMap(({ $ref }) => (typeof $ref === "string" ? [$ref] : []));
    expect(refs.length).toBeGreaterThan(30);
    for (const ref of refs) {
      const found = ref
        .split("/")
        .slice(1)
        .reduce<unknown>((at, name) => (at as Node | undefined)?.[name], json);
      expect(found, ref).toBeTypeOf("object");
    }
    const unused = Object.keys(document.components.schemas).filter(
      (name) => !refs.includes(`#/components/schemas/${name}`),
    );
    expect(unused).toEqual([]);
  });

  it("has every route as an operation with an id of its own", () => {
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(contract).sort());
    for (const { operationId, path, method, summary, parameters } of operations) {
      expect(contract[operationId as keyof typeof contract]).toMatchObject({
        path,
        method: method.toUpperCase(),
      });
      expect(summary, operationId).toMatch(/^\S.+/);
      // §4.8.10: each template expression has its parameter, which is required; none comes twice (§4.8.12.2).
      const inPath = parameters.filter((one) => one.in === "path");
      expect(inPath.map(({ name }) => `{${name}}`).sort()).toEqual((path.match(/\{\w+\}/g) ?? []).sort());
      expect(inPath.every(({ required }) => required)).toBe(true);
      expect(new Set(parameters.map(({ name, in: place }) => `${place} ${name}`)).size).toBe(
        parameters.length,
      );
    }
  });

  it("demands security schemes that it defines, DPoP's token and proof together", () => {
    const { securitySchemes } = document.components;
    expect(securitySchemes.token).toMatchObject({ type: "http", scheme: "DPoP" });
    expect(securitySchemes.proof).toMatchObject({ type: "apiKey", in: "header", name: "DPoP" });
    const demanded = operations.flatMap(({ security }) => security.flatMap((one) => Object.keys(one)));
    expect(new Set(demanded)).toEqual(new Set(Object.keys(securitySchemes)));
    for (const { path, security } of operations)
      if (/^\/(kms|documents|ra\/(grants|instances))/.test(path))
        expect(security).toEqual([{ token: [], proof: [] }]);
  });

  it("answers every operation, with problems by status whose codes are those of that status", () => {
    for (const { operationId, responses } of operations) {
      const statuses = Object.keys(responses);
      expect(
        statuses.some((status) => status.startsWith("2")),
        operationId,
      ).toBe(true);
      for (const [status, { description, content = {} }] of Object.entries(responses)) {
        expect(status).toMatch(/^[2-5]\d\d$/);
        expect(description).not.toBe("");
        if (Number(status) >= 400) expect(Object.keys(content)).toEqual(["application/problem+json"]);
      }
    }
  });

  it("uses JSON Schema's words alone, each with a value of its kind", () => {
    const kinds: Record<string, (value: unknown) => boolean> = {
      type: (value) => typeof value === "string",
      pattern: (value) => typeof value === "string" && new RegExp(value, "u") instanceof RegExp,
      const: () => true,
      enum: (value) => Array.isArray(value) && new Set(value).size === value.length,
      items: isObject,
      properties: isObject,
      required: Array.isArray,
      additionalProperties: (value) => typeof value === "boolean" || isObject(value),
      propertyNames: isObject,
      uniqueItems: (value) => value === true,
      allOf: Array.isArray,
      anyOf: Array.isArray,
      oneOf: Array.isArray,
      description: (value) => typeof value === "string",
      $ref: (value) => typeof value === "string",
    };
    const bounds = /^(min|max)(Length|Items|Properties|imum)$/;
    const walk = (schema: Node): void => {
      for (const [word, value] of Object.entries(schema)) {
        const fine = bounds.test(word) ? Number.isSafeInteger(value) : kinds[word]?.(value);
        expect(fine, `${word}: ${JSON.stringify(value)}`).toBe(true);
      }
      for (const inner of [schema.items, schema.propertyNames, schema.additionalProperties])
        if (isObject(inner)) walk(inner as Node);
      for (const inner of Object.values(schema.properties ?? {})) walk(inner as Node);
      for (const list of [schema.allOf, schema.anyOf, schema.oneOf])
        for (const one of (list as Node[]) ?? []) walk(one);
    };
    for (const schema of Object.values(document.components.schemas)) walk(schema as Node);
    for (const { parameters } of operations) for (const { schema } of parameters) walk(schema);
  });
});

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
