import { readFileSync } from "node:fs";
import { clientKey } from "#cli/client-key.ts";
import type { Endpoint } from "./connection.ts";

/** Options of a command that can use another server than its own. */
export const ENDPOINT_OPTIONS = {
  host: { type: "string" },
  port: { type: "string" },
  ca: { type: "string" },
  cert: { type: "string" },
  key: { type: "string" },
  "passphrase-file": { type: "string" },
} as const;

/** The server that they name; undefined for the command's own. `usage` ends the command. */
export function endpointOf(
  {
    host,
    port,
    ca,
    cert,
    key,
    "passphrase-file": passphraseFile,
  }: { readonly [K in keyof typeof ENDPOINT_OPTIONS]?: string | undefined },
  usage: (message: string) => never,
): Endpoint | undefined {
  if (host === undefined && port === undefined) return undefined;
  if (ca === undefined || cert === undefined || key === undefined)
    return usage("a server of yours needs --ca, --cert and --key");
  const read = (file: string) => readFileSync(file, "utf8");
  return {
    host: host ?? "127.0.0.1",
    port: Number(port ?? 5696),
    ca: read(ca),
    cert: read(cert),
    key: clientKey(read(key), passphraseFile),
  };
}
