/**
 * An application server with Coffer inside, at level `master`: its clients upload and download over HTTP, and what lies in
 * its datastore is ciphertext. The instance finds its keys itself; this code names account and document, and sees none.
 */

import { codeOf, type PortClient } from "@coffer/kit/node";
import { Hono } from "hono";
import type { Datastore } from "./datastore.ts";

export interface ApplicationServer {
  /** The one that runs: it is another one after a change of its keys. */
  microservice(): Promise<PortClient>;
  tenant: string;
  datastore: Datastore;
  /** The account that a client device acts for, by what the app signs its clients in with; undefined for a stranger. */
  accountOf(request: Request): string | undefined;
}

export function applicationServer({ microservice, tenant, datastore, accountOf }: ApplicationServer): Hono {
  const app = new Hono();
  app.onError((error, c) => c.text(codeOf(error), 502));
  app.on(["GET", "PUT"], "/documents/:id{[0-9a-f-]{36}}", async (c) => {
    const account = accountOf(c.req.raw);
    if (account === undefined) return c.text("Sign in first", 401);
    const place = { account, document: c.req.param("id") };
    // What is sealed is bound to it: another's ciphertext in this place does not open.
    const context = { tenant, ...place, purpose: "document" };
    const port = await microservice();
    if (c.req.method === "PUT") {
      await datastore.put(place, port.seal({ context }, c.req.raw.body ?? new Uint8Array()));
      return c.body(null, 201);
    }
    const stored = await datastore.get(place);
    if (!stored) return c.text("No such document", 404);
    return c.body(port.open({ context }, stored), 200, {
      "content-type": "application/octet-stream",
    });
  });
  return app;
}
