/**
 * web/hosts/node: the microservice inside a Node process, as a dependency (M15). It enrols again in each process and
 * keeps nothing on disk: Node has no store for non-extractable keys. May import: protocol/port, web/microservice.
 * Imported by cli.
 */
export { memoryStore } from "./memory-store.ts";
export { type NodeMicroserviceOptions, startMicroservice } from "./microservice.ts";
