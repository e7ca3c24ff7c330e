/**
 * edge: the worker. Its default export is the gateway, the only door to the public network; every domain has an
 * entrypoint for each neighbour behind a service binding, and Durable Objects of its own. May import: edge/audit, edge/caas, edge/datastore,
 * edge/gateway, edge/iam, edge/kms, edge/ra, edge/verifier. Imported by nothing.
 */
import { createApp } from "./gateway/index.ts";

export {
  Audit,
  AuditForDomains,
  AuditForIam,
  AuditGathererObject,
  AuditLogObject,
  AuditObject,
  AuditSourceObject,
} from "./audit/index.ts";
export { Caas } from "./caas/index.ts";
export { Datastore, DatastoreAccountObject, DatastoreForIam, DatastoreObject } from "./datastore/index.ts";
export { GatewayObject } from "./gateway/index.ts";
export {
  Iam,
  IamAccountKeyObject,
  IamAccountObject,
  IamAdministration,
  IamForDatastore,
  IamForKms,
  IamForRa,
  IamObject,
  IamPrincipalObject,
} from "./iam/index.ts";
export {
  Kms,
  KmsAccountObject,
  KmsForCaas,
  KmsForIam,
  KmsForRa,
  KmsObject,
  KmsPrincipalObject,
  KmsRotationObject,
} from "./kms/index.ts";
export { Ra, RaForIam, RaForKms, RaObject, RaPrincipalObject, RaRevocationsObject } from "./ra/index.ts";
export { Verifier } from "./verifier/index.ts";

/** Routes only: no state of a request or a tenant is kept in it. */
const app = createApp();

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
