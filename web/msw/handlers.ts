import { type HttpHandler, HttpResponse, http } from "msw";
import {
  type AnswerOf,
  contract,
  type OperationId,
  type ProblemCode,
  problemDocument,
  problems,
  problemsOf,
  type Route,
} from "#protocol/contract/index.ts";
import { checked } from "#protocol/shape.ts";
import { type Asked, Refused, taken } from "./asked.ts";
import { sampleOf } from "./sample.ts";

export type { Asked } from "./asked.ts";

type Contract = typeof contract;
type Given<R extends Route> = R extends { answer: { octets: true } }
  ? Uint8Array<ArrayBuffer>
  : R extends { answer: { json: unknown } }
    ? AnswerOf<R>
    : undefined;

/** What routes answer, by their operation ids: a value, or what is called with each request and may throw `problem(code)`. */
export type Answers = {
  [O in OperationId]?:
    | Given<Contract[O]>
    | ((asked: Asked) => Given<Contract[O]> | Promise<Given<Contract[O]>>);
};

export interface HandlerOptions {
  /** Origin of the app. */
  app: string;
  /** Origin of the vault. */
  vault: string;
  /** What is not named here is answered by the least value of its shape: lists are empty. */
  answers?: Answers;
}

/**
 * A handler for each route of the contract, for `setupServer` or `setupWorker`. A request that is malformed, has no token or no proof where one is due gets the
 * problem that the edge has for it; tokens and proofs are not verified. An answer that is not of its route's shape, and a problem that its route does not have,
 * is an error of the test, and the request fails.
 *
 * @example
 * const server = setupServer(
 *   ...cofferHandlers({ app: "https://app.test", vault: "https://vault.test", answers: {
 *     listDocuments: { documents: [] },
 *     deleteDocument: () => { throw problem("pending-deletion"); },
 *   } }),
 * );
 */
export function cofferHandlers({ app, vault, answers = {} }: HandlerOptions): HttpHandler[] {
  for (const name of Object.keys(answers))
    if (!Object.hasOwn(contract, name)) throw new TypeError(`The contract has no operation ${name}`);
  const routes = Object.entries(contract) as [OperationId, Route][];
  return routes
    .toSorted(([, a], [, b]) => compare(rankOf(a.path), rankOf(b.path)))
    .map(([name, route]) => {
      const site = route.site === "app" ? app : vault;
      const at = new URL(site).origin + route.path.replaceAll(/\{(\w+)\}/g, ":$1");
      const method = route.method.toLowerCase() as "get" | "post" | "put" | "delete";
      return http[method](at, ({ request, params }) =>
        answered(name, route, request, params, answers[name] as Answer),
      );
    });
}

/** For an answer to throw: the problem document of this code, with its status. */
export function problem(code: ProblemCode): Error {
  return new Refused(code);
}

type Answer = ((asked: Asked) => unknown) | unknown;

async function answered(
  name: OperationId,
  route: Route,
  request: Request,
  params: Readonly<Record<string, string | readonly string[] | undefined>>,
  given: Answer,
): Promise<Response> {
  try {
    const asked = await taken(route, request, params);
    const value = typeof given === "function" ? await given(asked) : given;
    return responseOf(route, value);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (!problemsOf(route).includes(error.code))
      throw new TypeError(`${name} never answers ${error.code}: it has ${problemsOf(route).join(", ")}`);
    const headers = { "content-type": "application/problem+json" };
    return new HttpResponse(JSON.stringify(problemDocument(error.code)), {
      status: problems[error.code].status,
      headers,
    });
  }
}

function responseOf({ answer }: Route, value: unknown): Response {
  const { status } = answer;
  if ("json" in answer) {
    const { json } = answer;
    return HttpResponse.json(checked(json, value === undefined ? sampleOf(json) : value) as object, {
      status,
    });
  }
  if (!("octets" in answer)) return new HttpResponse(null, { status });
  const bytes = value === undefined ? new Uint8Array(1) : value;
  if (!(bytes instanceof Uint8Array)) throw new TypeError("These are answered by a Uint8Array");
  const type = answer.type ?? "application/octet-stream";
  return new HttpResponse(bytes as Uint8Array<ArrayBuffer>, { status, headers: { "content-type": type } });
}

/** What is named stands before what is a parameter: the first handler that matches answers. */
function rankOf(path: string): string[] {
  return path.split("/").map((segment) => (segment.startsWith("{") ? `1` : `0${segment}`));
}

function compare(a: string[], b: string[]): number {
  return a.join("/") < b.join("/") ? -1 : 1;
}
