/** The custodian's API and its inner parts inside a page, for what no button of the page does. */

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Page } from "playwright";
import type { createPortClient, HelloResult, PortClient } from "#protocol/port/index.ts";
import type { connect } from "#web/browser/index.ts";
import type { serveByServiceWorker } from "#web/browser/service-worker.ts";
import type { openVault } from "#web/browser/vault.ts";
import type { RequestOptions, RestClient } from "#web/client/rest.ts";

/** What `withKit` hands to the code in the page. */
export type Kit = {
  connect: typeof connect;
  openVault: typeof openVault;
  serveByServiceWorker: typeof serveByServiceWorker;
  createPortClient: typeof createPortClient;
  /** A REST client with the sign-in of this page; `fresh` sees what the page's own session does not. */
  rest(vault: string): Promise<TestRest>;
  /** Has this page's custodian and the instance behind a port prove to each other who they are (M14), by what hello has said. */
  prove(port: PortClient, vault: string, hello: HelloResult): Promise<void>;
  /** The code of a `CofferError`, or what was thrown as text; `null` when the promise was kept. */
  refusal(promise: Promise<unknown>): Promise<string | null>;
};

/** Tests say what they expect, and see by what they assert whether it came. */
type TestRest = Omit<RestClient, "json"> & {
  json<T>(method: string, path: string, options?: RequestOptions): Promise<T>;
};

const ENTRY = `
  import { browserHost } from "#web/browser/host.ts";
  import { connect } from "#web/browser/index.ts";
  import { serveByServiceWorker } from "#web/browser/service-worker.ts";
  import { openVault } from "#web/browser/vault.ts";
  import { Custodian } from "#web/client/custodian.ts";
  import { CustodianSession } from "#web/client/index.ts";
  import { authenticate } from "#web/client/mutual.ts";
  import { createPortClient } from "#protocol/port/index.ts";
  const custodian = async (vault) => {
    const host = browserHost(vault);
    const session = new CustodianSession({ ...host, vault });
    await session.restore();
    return { host, session };
  };
  const rest = async (vault) => {
    const { host, session } = await custodian(vault);
    return new Custodian({ ...host, session }).rest;
  };
  const prove = async (port, vault, { challenge, measurement, instance }) => {
    const key = await (await custodian(vault)).session.certifiedKey();
    const with_ = { origin: location.origin, key, now: Date.now() };
    await authenticate(port, { challenge, measurement, instance }, with_);
  };
  const refusal = (promise) => promise.then(() => null, (error) => error?.code ?? String(error));
  globalThis.cofferKit = { connect, openVault, serveByServiceWorker, createPortClient, rest, prove, refusal };
`;

let bundled: Promise<string> | undefined;

/** Puts the kit into the page and runs `code` there with it and with `argument`. */
export async function withKit<A, R>(
  page: Page,
  code: (kit: Kit, argument: A) => Promise<R>,
  argument: A,
): Promise<R> {
  bundled ??= bundle();
  if (!(await page.evaluate(() => "cofferKit" in globalThis))) await page.evaluate(await bundled);
  // By the debugger, not by a script tag: the page's content security policy stays as it is.
  return page.evaluate(`(${code})(globalThis.cofferKit, ${JSON.stringify(argument)})`);
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: fileURLToPath(new URL("../..", import.meta.url)), loader: "ts" },
    bundle: true,
    write: false,
    format: "iife",
    target: "es2024",
  });
  return outputFiles[0]!.text;
}
