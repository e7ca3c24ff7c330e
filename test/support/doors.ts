/**
 * Doors of the running worker that no route leads to: as a neighbour that is bound to them calls them. In a test that runs the
 * worker so:
 *
 *     vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));
 */

import type { EdgeWorker } from "#edge/local.ts";
import type { Result } from "#edge/result.ts";
import type { EdgeClient } from "./edge-client.ts";
import { json, send } from "./http.ts";

/**
 * Methods of the worker's classes that say that they were called and do not answer: as `KmsForIam.shredded` they do nothing, as
 * `after KmsForIam.shredded` all that they are for.
 */
let held: string[] = [];
export function hold(...methods: string[]): void {
  held = methods;
}

/** Methods that say that they were called, and answer. */
let watched: string[] = [];
export function watch(...methods: string[]): void {
  watched = methods;
}

const PATH = "/test/doors/";
const HELD_MS = 60_000;
const ASK = "askOfItsOwnBinding";
const ASK_OBJECT = "askOfAnObjectOfItsOwn";

/** The worker as it is, but that it has those doors, and holds those methods when it starts. */
export function withDoors<P extends { edgeWorker(): Promise<EdgeWorker> }>(parts: P): P {
  return {
    ...parts,
    async edgeWorker() {
      const { script, options } = await parts.edgeWorker();
      const handler = /^var (index_default\d*) = \{ fetch: app\.fetch \};$/m.exec(script)?.[1];
      if (handler === undefined) throw new Error("the worker's handler has another name");
      const door = `;((handler, { fetch }) => {
        handler.fetch = async (request, env, ctx) => {
          const { pathname } = new URL(request.url);
          if (!pathname.startsWith("${PATH}")) return fetch(request, env, ctx);
          const [binding, method] = pathname.slice(${PATH.length}).split("/");
          const revived = (_, value) => typeof value?.$bytes === "string"
            ? Uint8Array.from(atob(value.$bytes), (char) => char.charCodeAt(0)) : value;
          const told = (_, value) => value instanceof Uint8Array
            ? { $bytes: btoa(String.fromCharCode(...value)) } : value;
          const answer = await env[binding][method](...JSON.parse(await request.text(), revived));
          return new Response(JSON.stringify(answer, told));
        };
      })(${handler}, { ...${handler} });`;
      const holds = held.map((entry) => {
        const method = entry.replace("after ", "");
        return `;(({ prototype }, name) => {
          const original = prototype[name];
          prototype[name] = async function (...args) {
            if (${entry !== method}) await original.apply(this, args);
            console.log("held ${entry}");
            return new Promise((resolve) => setTimeout(resolve, ${HELD_MS}));
          };
        })(${method.replace(".", ', "')}");`;
      });
      const watches = watched.map(
        (method) => `;(({ prototype }, name) => {
          const original = prototype[name];
          prototype[name] = function (...args) {
            console.log("called ${method}");
            return original.apply(this, args);
          };
        })(${method.replace(".", ', "')}");`,
      );
      const asks = ["Iam", "Ra", "Kms", "Datastore"].map(
        (domain) => `;((domain) => {
          domain.prototype.${ASK} = async function (binding, method, ...args) {
            try {
              return await this.env[binding][method](...args);
            } catch (error) {
              return { ok: false, problem: { code: error.message } };
            }
          };
          domain.prototype.${ASK_OBJECT} = async function (namespace, name, method, ...args) {
            return this.env[namespace].getByName(name)[method](...args);
          };
        })(${domain});`,
      );
      const IAM_ADMINISTRATION = { name: "coffer", entrypoint: "IamAdministration" };
      const serviceBindings = { ...options.serviceBindings, IAM_ADMINISTRATION };
      return {
        script: [script, door, ...holds, ...watches, ...asks].join("\n"),
        options: { ...options, serviceBindings },
      };
    },
  };
}

/** Bytes in an argument. */
export function bytesOf(bytes: Uint8Array): { $bytes: string } {
  return { $bytes: Buffer.from(bytes).toString("base64") };
}

/** Calls a method of what the worker has bound by this name. */
export async function callDoor<T>(
  { appOrigin }: { appOrigin: string },
  door: `${string}.${string}`,
  ...args: unknown[]
): Promise<Result<T>> {
  const [binding, method] = door.split(".");
  const url = `${appOrigin}${PATH}${binding}/${method}`;
  return json<Result<T>>(await send(url, { method: "POST", body: JSON.stringify(args) }));
}

/**
 * Has the code of a domain call what its own worker has bound, as code that somebody has changed would: `IAM_FOR_KMS.scheduleDeletion` is
 * asked from within the KMS. What a door does not have is a problem whose code is workerd's message.
 */
export async function askFrom<T>(
  system: { appOrigin: string },
  domain: "IAM" | "RA" | "KMS" | "DATASTORE",
  door: `${string}.${string}`,
  ...args: unknown[]
): Promise<Result<T>> {
  return callDoor(system, `${domain}.${ASK}`, ...door.split("."), ...args);
}

/**
 * Has the code of a domain call an object of its own, as code that somebody has changed would, with arguments that its door would not
 * give: `IAM_PRINCIPAL_OBJECT` by a principal's name.
 */
export async function askObject<T>(
  system: { appOrigin: string },
  domain: "IAM" | "RA" | "KMS" | "DATASTORE",
  object: { namespace: string; name: string },
  method: string,
  ...args: unknown[]
): Promise<Result<T>> {
  return callDoor(system, `${domain}.${ASK_OBJECT}`, object.namespace, object.name, method, ...args);
}

/** `ok`, or the code of the problem. */
export async function answerOf(result: Promise<Result<unknown>>): Promise<string> {
  const answer = await result;
  return answer.ok ? "ok" : answer.problem.code;
}

/** Whom the gateway would say the client is. */
export function callerOf({ tokens, app }: EdgeClient, tenant = "development") {
  const { sub, client_id, custodian, cnf } = JSON.parse(
    Buffer.from(tokens.access_token.split(".")[1]!, "base64url").toString(),
  ) as { sub: string; client_id: string; custodian: string; cnf: { jkt: string } };
  const requestId = crypto.randomUUID();
  return {
    tenant,
    user: sub,
    custodian,
    client: client_id,
    jkt: cnf.jkt,
    origin: app,
    requestId,
  };
}
