/**
 * edge: the worker. Its default export is the gateway, the only door to the public network; every domain is an
 * entrypoint behind a service binding, with a Durable Object of its own. May import protocol/ only. Imported by nothing.
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import type { AuditRow } from "./audit/row.ts";
import type { Caller } from "./caller.ts";
import type { AccountKey, Custodian, Session, TokenKey } from "./iam/types.ts";
import type { Result } from "./result.ts";

export default {
  async fetch() {
    return new Response(null, { status: 404 });
  },
};

export class Iam extends WorkerEntrypoint<Env> {
  async accountKey(_: { tenant: string; account: string; caller: Caller }): Promise<Result<AccountKey>> {
    throw new Error("not yet");
  }
  async session(_: { cookie: string; requestId: string }): Promise<Result<Session>> {
    throw new Error("not yet");
  }
  async custodian(_: { tenant: string; dn: string; jkt: string }): Promise<Result<Custodian>> {
    throw new Error("not yet");
  }
  async keys(): Promise<Result<TokenKey[]>> {
    throw new Error("not yet");
  }
}
export class Audit extends WorkerEntrypoint<Env> {
  async append(_: {
    tenant: string;
    source: string;
    rows: AuditRow[];
  }): Promise<Result<{ accepted: number }>> {
    throw new Error("not yet");
  }
}
export class Ra extends WorkerEntrypoint<Env> {}
export class Kms extends WorkerEntrypoint<Env> {}
export class Datastore extends WorkerEntrypoint<Env> {}
export class GatewayObject extends DurableObject<Env> {}
export class IamObject extends DurableObject<Env> {}
export class AuditObject extends DurableObject<Env> {}
export class RaObject extends DurableObject<Env> {}
export class KmsObject extends DurableObject<Env> {}
export class DatastoreObject extends DurableObject<Env> {}
