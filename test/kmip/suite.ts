import { relative } from "node:path";
import { createKmipClient, type Encoding, type Item } from "#protocol/kmip/index.ts";
import { connectTo, type Endpoint, type Transport } from "./connection.ts";
import { excluded } from "./excluded.ts";
import { OwnServers, type Server } from "./own-server.ts";
import { preparationOf } from "./preparations.ts";
import { runCase } from "./run-case.ts";
import { readCase } from "./test-case.ts";

/** `excluded` cases are neither passed nor failed; the reason says what is wrong with the case, or with the answer. */
export interface Result {
  file: string;
  passed: boolean;
  excluded: boolean;
  reason?: string;
}

export interface SuiteOptions {
  files: readonly string[];
  /** Files are named relative to it. */
  root: string;
  encoding: Encoding;
  transport: Transport;
  /** A server that is running; without it each case gets an emulator of its own. */
  endpoint?: Endpoint | undefined;
  trace?: ((direction: "request" | "expected" | "response", item: Item) => void) | undefined;
}

/** Runs the cases one after the other and yields how each ended. */
export async function* runSuite(options: SuiteOptions): AsyncGenerator<Result> {
  const own = new OwnServers();
  try {
    for (const path of options.files) {
      const file = relative(options.root, path) || path;
      const exclusion = excluded(path);
      if (exclusion) yield { file, passed: false, excluded: true, reason: exclusion };
      else {
        const reason = await outcome(path, own, options);
        yield { file, passed: reason === undefined, excluded: false, ...(reason ? { reason } : {}) };
      }
    }
  } finally {
    own.close();
  }
}

async function outcome(path: string, own: OwnServers, options: SuiteOptions): Promise<string | undefined> {
  const { encoding, transport, endpoint, trace } = options;
  let server: Server | undefined;
  try {
    const testCase = readCase(path);
    const preparation = preparationOf(testCase);
    server = endpoint ? { endpoint, close: async () => {} } : await own.start(transport, preparation.server);
    const connection = connectTo(server.endpoint, transport, encoding);
    try {
      const client = createKmipClient({ ...connection, encoding, version: testCase.version });
      await preparation.objects?.(client, server.endpoint);
      const { earlier } = preparation;
      return await runCase(testCase, { connection, encoding, now: () => new Date(), earlier, trace });
    } finally {
      connection.close();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await server?.close();
  }
}
