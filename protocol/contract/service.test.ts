import { expect, it } from "vitest";
import { OPERATIONS } from "../operations/index.ts";
import {
  AT_CAAS,
  caasDocument,
  operations,
  problemsOfService,
  type ServiceRoute,
  service,
  serviceDocument,
} from "./index.ts";

const routes = Object.entries<ServiceRoute>(service);
const document = serviceDocument("https://microservice.example");

it("M16 has each operation of the microservice once, with its own shapes and a bound", () => {
  expect(Object.keys(operations)).toEqual(Object.keys(OPERATIONS));
  const places = routes.map(([, { method, path }]) => `${method} ${path}`);
  expect(new Set(places).size).toBe(places.length);
  for (const [id, { request }] of routes) if (request) expect(request.limit, id).toBeGreaterThan(0);
});

it("M16 is published as OpenAPI, each route with what may be wrong, and each reference leads somewhere", () => {
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  for (const [id, route] of routes) {
    const described = document.paths[route.path]?.[route.method.toLowerCase()] as {
      operationId: string;
      responses: Record<string, object>;
      security: object[];
    };
    expect(described.operationId).toBe(id);
    expect(described.security).toEqual([{ certificate: [] }]);
    const statuses = Object.keys(described.responses);
    expect(statuses).toEqual(expect.arrayContaining([String(route.answer.status), "403", "500", "503"]));
    expect(JSON.stringify(described.responses)).toContain(`"${problemsOfService(route)[0]}"`);
  }
  const refs = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name]) => name,
  );
  expect(refs.length).toBeGreaterThan(20);
  expect(refs.filter((name) => !Object.hasOwn(document.components.schemas, name!))).toEqual([]);
});

it("M16 the CaaS publishes the same paths, and says of each that it does not do that it does not", () => {
  const { paths } = caasDocument("https://app.example/caas");
  expect(Object.keys(paths)).toEqual(Object.keys(document.paths));
  const statuses = Object.fromEntries(
    routes.map(([id, { method, path }]) => {
      const described = paths[path]?.[method.toLowerCase()] as { responses: object } | undefined;
      const responses = described?.responses ?? {};
      return [id, Object.keys(responses)];
    }),
  );
  for (const [id, { answer }] of routes) {
    const isThere = Object.hasOwn(operations, id) || AT_CAAS[id as keyof typeof AT_CAAS];
    if (isThere) expect(statuses[id], id).toContain(String(answer.status));
    else expect(statuses[id], id).toEqual(["401", "501"]);
    expect(statuses[id]?.includes("501"), id).toBe(!isThere);
  }
});
