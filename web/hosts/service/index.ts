/**
 * web/hosts/service: the service contract over a microservice's port, for any host that has requests and answers: Node over
 * HTTP, an app's Service Worker. Web-standard APIs only. May import: protocol/*.ts, protocol/contract, types of
 * protocol/operations, types of protocol/port. Imported by web/hosts and tests.
 */
export { refusal } from "./problem.ts";
export { type Serviced, serviceOf } from "./serve.ts";
