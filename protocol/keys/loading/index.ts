/**
 * protocol/keys/loading: what brings a data key into an instance, one file a way, told apart by `way`. The same value
 * passes port, microservice and store. Imports protocol/shape and the length of a JWS. Imported by protocol/port and
 * web/microservice.
 */
import { type Of, union } from "../../shape.ts";
import { rewrapped } from "./rewrap.ts";

export const load = /* @__PURE__ */ union("way", { rewrap: rewrapped });
export type Load = Of<typeof load>;
export type Way = Load["way"];
