import type { OperationName } from "#protocol/kmip/index.ts";
import type { Traits } from "../policy/traits.ts";
import type { Handler } from "./handler.ts";

/** An operation: how it is executed, and all that policy and server ask of it before. */
export interface Operation<O extends OperationName> extends Traits {
  handler: Handler<O>;
}
