/**
 * web/hosts/client: a client of the service contract (M16), typed by it, for one microservice, sidecar or CaaS, or for a set of instances of
 * one custodian (M13). Web-standard APIs only. May import: protocol/*.ts, protocol/contract, types of protocol/operations, types of protocol/port.
 * Imported by apps (`@coffer/kit/service`) and tests.
 */
export {
  type Answered,
  type Asked,
  createServiceClient,
  type JsonRoute,
  type ServiceClient,
  type ServiceClientOptions,
} from "./client.ts";
export { createServiceSet, type ServiceSet, type SetKey } from "./set.ts";
