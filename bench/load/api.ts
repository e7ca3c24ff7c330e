/** The REST interface of a running deployment by the names of its operations: paths differ between commits. */
import type { EdgeClient } from "#test/support/edge-client.ts";
import { type Answer, json, send } from "#test/support/http.ts";
import { COUNTS_PATH, type Counts } from "./counted.ts";

type Fields = Record<string, string>;
type OpenApi = { paths: Record<string, Record<string, { operationId: string; parameters?: Parameter[] }>> };
type Parameter = { name: string; in: string };

export class Api {
  readonly #origin: string;
  readonly #operations = new Map<string, { method: string; path: string; parameters: Parameter[] }>();

  private constructor(origin: string, { paths }: OpenApi) {
    this.#origin = origin;
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { operationId, parameters = [] }] of Object.entries(methods))
        this.#operations.set(operationId, { method: method.toUpperCase(), path, parameters });
  }

  static async of(origin: string): Promise<Api> {
    return new Api(origin, json<OpenApi>(await send(`${origin}/openapi.json`)));
  }

  /** Whether it has this operation. */
  has(operation: string): boolean {
    return this.#operations.has(operation);
  }

  /** Asks with token and proof. `fields` has more than an operation takes of it. Throws where it is refused. */
  async ask(client: EdgeClient, operation: string, fields: Fields = {}, body?: object): Promise<Answer> {
    const found = this.#operations.get(operation);
    if (found === undefined) throw new Error(`${this.#origin} has no operation ${operation}`);
    const path = found.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => fields[name] ?? "");
    const query = found.parameters.filter(({ in: place, name }) => place === "query" && name in fields);
    const asked = new URLSearchParams(query.map(({ name }) => [name, fields[name]!])).toString();
    const answer = await client.rest(found.method, asked ? `${path}?${asked}` : path, body);
    return successful(operation, answer);
  }

  /** What was counted since this was last asked. */
  async counts(): Promise<Counts> {
    return json<Counts>(await send(this.#origin + COUNTS_PATH));
  }
}

export function successful(what: string, answer: Answer): Answer {
  if (answer.status >= 400) throw new Error(`${what}: ${answer.status} ${answer.text.slice(0, 300)}`);
  return answer;
}
