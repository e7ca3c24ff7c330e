import { relative } from "node:path";
import { createKmipClient, type Encoding, type Item, KmipError } from "#protocol/kmip/index.ts";
import { connectTo, type Endpoint, type Transport } from "./connection.ts";
import { excluded } from "./excluded.ts";
import { isNotSupported } from "./not-supported.ts";
import { OwnServers, type Server } from "./own-server.ts";
import { preparationOf } from "./preparations.ts";
import { runCase } from "./run-case.ts";
import { readCase } from "./test-case.ts";

/**
 * `excluded` cases and those that another server does not support are neither passed nor failed; the reason says what is wrong
 * with the case, or with the answer.
 */
export interface Result {
  file: string;
  passed: boolean;
  excluded: boolean;
  notSupported?: boolean;
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
        const difference = await outcome(path, own, options);
        yield { file, passed: difference === undefined, excluded: false, ...difference };
      }
    }
  } finally {
    own.close();
  }
}

async function outcome(
  path: string,
  own: OwnServers,
  options: SuiteOptions,
): Promise<Pick<Result, "reason" | "notSupported"> | undefined> {
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
      const difference = await runCase(testCase, {
        connection,
        encoding,
        now: () => new Date(),
        earlier,
        trace,
      });
      // Our own server has to do all that the cases ask for.
      return difference && { ...difference, notSupported: endpoint !== undefined && difference.notSupported };
    } finally {
      connection.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // What a case takes for granted is asked of the server too.
    const lacks = endpoint && error instanceof KmipError && isNotSupported(error.code, reason);
    return { reason, ...(lacks ? { notSupported: true } : {}) };
  } finally {
    await server?.close();
  }
}
