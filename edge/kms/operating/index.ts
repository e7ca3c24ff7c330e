/** edge/kms/operating: operations with data keys inside the HSM (M16), for the CaaS. A part of edge/kms, and with its row. */
export { type Operated, type Operation, operate } from "./operate.ts";
export { OperationPace } from "./pace.ts";
export { operateWithoutKey, type WithoutKey } from "./without-key.ts";
