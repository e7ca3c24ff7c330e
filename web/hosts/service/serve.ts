/** Requests of the service contract, answered by a microservice behind a port. Whose they are is the host's to know. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { begun } from "#protocol/begun.ts";
import { operations, type ServiceRoute, service, serviceDocument } from "#protocol/contract/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { parseJson } from "#protocol/json.ts";
import type { CryptoOperation } from "#protocol/operations/index.ts";
import type { EncryptionContext, HelloResult, PortClient } from "#protocol/port/index.ts";
import { checked, record } from "#protocol/shape.ts";
import { asked, readJson, requireType } from "./body.ts";
import { refusal } from "./problem.ts";

/** `port`: of a microservice that serves the custodian with this Distinguished Name and nobody else (M13). */
export type Serviced = {
  port: { hello(custodian: string): Promise<Pick<HelloResult, "measurement" | "instance">> } & Pick<
    PortClient,
    "enrol" | "load" | "entrust" | "lock" | "operate" | "seal" | "open"
  >;
  custodian: string;
};

type Bytes = Uint8Array<ArrayBuffer>;
type Given = { body: never; query: Record<string, string>; stream: ReadableStream<Bytes> };
type Handlers = {
  [Id in Exclude<keyof typeof service, CryptoOperation>]: (given: Given) => Promise<unknown>;
};

const ROUTES = new Map<string, readonly [string, ServiceRoute]>(
  Object.entries<ServiceRoute>(service).map(([id, route]) => [`${route.method} ${route.path}`, [id, route]]),
);
const PATHS = new Set(Object.values<ServiceRoute>(service).map(({ path }) => path));
const context = record(16, 1024);

/** Answers requests whose path is one of the contract's; others with `not-found`. Never rejects. */
export function serviceOf({ port, custodian }: Serviced): (request: Request) => Promise<Response> {
  let greeting: Promise<unknown> | undefined;
  const greet = () => port.hello(custodian);
  /** A port takes calls after a hello alone; one that failed is asked again. */
  const greeted = async () => {
    greeting ??= greet().catch((error: unknown) => {
      greeting = undefined;
      throw error;
    });
    await greeting;
  };
  const handlers: Handlers = {
    openApi: async () => serviceDocument("/"),
    describe: async () => {
      const { measurement, instance } = await greet();
      return { measurement, instance };
    },
    enrol: ({ body }) => port.enrol(body),
    load: ({ body }) => port.load(body),
    entrust: async ({ body: { edks } }: { body: { edks: string[] } }) => ({ keys: await port.entrust(edks) }),
    lock: async () => {
      await port.lock();
      return {};
    },
    seal: async ({ query: { key, context }, stream }) =>
      port.seal({ edk: key, context: contextOf(context) }, stream, { give: true }),
    open: async ({ query, stream }) =>
      port.open({ context: contextOf(query.context) }, stream, { give: true }),
  };
  return async (request) => {
    try {
      const { pathname, searchParams } = new URL(request.url);
      const [id, route] = ROUTES.get(`${request.method} ${pathname}`) ?? [];
      if (id === undefined || !route)
        throw new CofferError(PATHS.has(pathname as `/${string}`) ? "method-not-allowed" : "not-found");
      await greeted();
      const given = { body: await bodyOf(request, route), query: queryOf(route, searchParams) } as Given;
      if (isStream(route)) given.stream = (request.body ?? new Blob().stream()) as Given["stream"];
      const value = Object.hasOwn(operations, id)
        ? await port.operate(id as CryptoOperation, given.body)
        : await handlers[id as keyof Handlers](given);
      return await answer(route, value);
    } catch (error) {
      return refusal(codeOf(error));
    }
  };
}

const isStream = ({ request }: ServiceRoute) => request !== undefined && "octets" in request;

async function bodyOf(request: Request, route: ServiceRoute): Promise<unknown> {
  if (!route.request) return undefined;
  if ("json" in route.request) return readJson(request, route.request.json, route.request.limit);
  requireType(request, "application/octet-stream");
  return undefined;
}

/** Every parameter that a route has, once, and none that it has not. */
function queryOf({ query = {} }: ServiceRoute, given: URLSearchParams): Record<string, string> {
  return asked(() => {
    const names = [...given.keys()];
    if (names.length !== Object.keys(query).length || new Set(names).size !== names.length)
      throw new TypeError("other parameters");
    return Object.fromEntries(
      Object.entries(query).map(([name, shape]) => [name, checked(shape, given.get(name))]),
    );
  });
}

function contextOf(text: string | undefined): EncryptionContext {
  return asked(() => checked(context, parseJson(new TextDecoder().decode(decodeBase64url(text ?? "")))));
}

async function answer(route: ServiceRoute, value: unknown): Promise<Response> {
  if ("json" in route.answer) {
    const headers = { "content-type": "application/json", "cache-control": "no-store" };
    return new Response(JSON.stringify(value), { status: route.answer.status, headers });
  }
  const headers = { "content-type": "application/octet-stream", "cache-control": "no-store" };
  return new Response(await begun(value as ReadableStream<Bytes>), { status: route.answer.status, headers });
}
