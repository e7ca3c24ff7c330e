/**
 * The process of a deployment (deployment.ts): `node host.ts CHECKOUT DIR [counted]`. Tells its origins in a line of JSON, and ends with its
 * standard input. Imports nothing of this checkout but the counter: what runs is CHECKOUT's.
 */
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { countedScript } from "./counted.ts";

const [checkout = ".", dir = ".", counted] = process.argv.slice(2);
const at = (file: string) => pathToFileURL(join(checkout, file)).href;
type StartAll = (options: {
  dir: string;
  ports: Record<string, number>;
  vars: Record<string, string>;
}) => Promise<{ appOrigin: string; vaultOrigin: string; close(): Promise<void> }>;

/** Bounds of one user or account that a measurement must not meet. */
const vars = {
  COFFER_DATA_KEYS_PER_HOUR: "10000000",
  COFFER_REQUESTS_PER_TEN_SECONDS: "1000000",
  COFFER_SIGN_INS_PER_USER: "100000",
  COFFER_SIGN_INS_PER_MINUTE: "100000",
  COFFER_INSTANCES_PER_USER: "100000",
  COFFER_UNEXPIRED_INSTANCES_PER_USER: "100000",
  COFFER_ENROLMENTS_PER_MINUTE: "100000",
  COFFER_DOCUMENTS_PER_ACCOUNT: "10000000",
};

const bundled = at("edge/bundle.ts");
const counting = `
  import { bundleEdge as bundle } from ${JSON.stringify(`${bundled}?as-it-is`)};
  export async function bundleEdge() {
    const worker = await bundle();
    return { ...worker, script: await globalThis.countedScript(worker.script) };
  }
`;
Object.assign(globalThis, { countedScript });
if (counted === "counted")
  registerHooks({
    load: (url, context, next) =>
      url === bundled ? { format: "module", source: counting, shortCircuit: true } : next(url, context),
  });

const { startAll } = (await import(at("cli/start-all.ts"))) as { startAll: StartAll };
const { freePorts } = (await import(at("test/support/ports.ts"))) as {
  freePorts: (count: number) => Promise<[number, number, number, number, number]>;
};
const [app, vault, ttlv, https, identity] = await freePorts(5);
const { appOrigin, vaultOrigin, close } = await startAll({
  dir,
  ports: { app, vault, ttlv, https, identity },
  vars,
});
process.stdout.write(`${JSON.stringify({ appOrigin, vaultOrigin })}\n`);
for await (const _ of process.stdin);
await close();
process.exit(0);
