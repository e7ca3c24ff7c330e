/**
 * The worker as it is, counting: which object is asked how often, what all of them write, and how many messages go to the
 * HSM. Made around its bundled script, so that any commit's can be counted.
 */
import { build } from "esbuild";

/** Where the counts are read; reading sets them back to nothing. */
export const COUNTS_PATH = "/bench-counts";

export type Counts = {
  /** Calls of each object, by class and name. Its alarms are not among them. */
  objects: Record<string, number>;
  /** Messages to the HSM, by binding. */
  hsm: Record<string, number>;
  /** Rows of tables and indexes that all objects have written, as the platform bills them. */
  rows: number;
};

export async function countedScript(script: string): Promise<string> {
  const options = {
    bundle: true as const,
    write: false as const,
    format: "esm" as const,
    external: ["cloudflare:*"],
  };
  const listed = await build({
    ...options,
    stdin: { contents: script },
    metafile: true,
    outfile: "worker.js",
  });
  const names = Object.values(listed.metafile.outputs).flatMap(({ exports }) => exports);
  const classes = names.filter((name) => name !== "default");
  const { outputFiles } = await build({
    ...options,
    stdin: { contents: wrapper(classes), resolveDir: import.meta.dirname },
    plugins: [
      {
        name: "worker",
        setup(esbuild) {
          esbuild.onResolve({ filter: /^worker$/ }, () => ({ path: "worker", namespace: "worker" }));
          esbuild.onLoad({ filter: /./, namespace: "worker" }, () => ({ contents: script }));
        },
      },
    ],
  });
  return outputFiles[0]!.text;
}

/** Calls that an object makes of itself are not counted, as far as they come before it first waits. */
const wrapper = (classes: readonly string[]) => `
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import * as worker from "worker";

let objects = {}, hsm = {}, rows = 0, depth = 0;
const add = (counts, name) => (counts[name] = (counts[name] ?? 0) + 1);

function countHsm(env) {
  const counted = { ...env };
  for (const [binding, fetcher] of Object.entries(env)) {
    if (!binding.startsWith("HSM_")) continue;
    counted[binding] = { fetch: (...request) => (add(hsm, binding), fetcher.fetch(...request)) };
  }
  return counted;
}

function countRows(sql) {
  const storage = Object.getPrototypeOf(sql);
  if (storage.counts) return;
  const { exec } = storage;
  storage.counts = true;
  storage.exec = function (...statement) {
    const cursor = exec.apply(this, statement);
    rows += cursor.rowsWritten;
    return cursor;
  };
}

function counting(name, Class) {
  const isObject = Class.prototype instanceof DurableObject;
  if (!isObject && !(Class.prototype instanceof WorkerEntrypoint)) return Class;
  const Counting = class extends Class {
    constructor(ctx, env) {
      if (isObject) countRows(ctx.storage.sql);
      super(ctx, countHsm(env));
    }
  };
  if (!isObject) return Counting;
  for (let from = Class.prototype; from !== DurableObject.prototype; from = Object.getPrototypeOf(from))
    for (const [method, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      const own = Object.hasOwn(Counting.prototype, method) || method === "alarm";
      if (own || typeof value !== "function") continue;
      Counting.prototype[method] = function (...given) {
        if (depth === 0) add(objects, name + " " + this.ctx.id.name);
        depth++;
        try {
          return value.apply(this, given);
        } finally {
          depth--;
        }
      };
    }
  return Counting;
}

${classes.map((name) => `export const ${name} = counting("${name}", worker.${name});`).join("\n")}

export default {
  ...worker.default,
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "${COUNTS_PATH}") return worker.default.fetch(request, env, ctx);
    const counts = { objects, hsm, rows };
    [objects, hsm, rows] = [{}, {}, 0];
    return Response.json(counts);
  },
};
`;
