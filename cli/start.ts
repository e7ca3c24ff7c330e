import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { startAll } from "./start-all.ts";

export const START_HELP = `coffer start: run everything on this machine

Makes a development PKI once, starts the HSM emulator (KMIP over mutual TLS), the edge worker in workerd
and the document page, and prints the address. Ctrl-C stops all of it; what was stored is there next time.

  --port N         the page's port                         (8787, or the next free one)
  --ttlv-port N    the HSM's KMIP port, TTLV over TLS      (5696, or the next free one)
  --https-port N   the HSM's KMIP port, HTTPS              (5697, or the next free one)
  --dir PATH       where keys and documents are kept       (.coffer)

Example: npm start -- --port 9000
`;

/** `coffer start`: runs until a signal asks it to stop. */
export async function start(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: "string" },
      "ttlv-port": { type: "string" },
      "https-port": { type: "string" },
      dir: { type: "string", default: ".coffer" },
    },
  });
  const began = performance.now();
  const step = (text: string) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5);
    process.stdout.write(`${seconds} s  ${text}\n`);
  };
  const running = await startAll({
    dir: resolve(values.dir),
    ports: {
      edge: portOption(values.port, "--port"),
      ttlv: portOption(values["ttlv-port"], "--ttlv-port"),
      https: portOption(values["https-port"], "--https-port"),
    },
    step,
  });
  process.stdout.write(
    `\n  Coffer is running.  Open  ${running.appOrigin}\n  Ctrl-C stops it; everything is kept in ${join(values.dir, "")}\n\n`,
  );
  await stopSignal();
  process.stdout.write("\nStopping …\n");
  await running.close();
  return 0;
}

function portOption(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Error(`${option} takes a port from 1 to 65535`);
  return port;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}
