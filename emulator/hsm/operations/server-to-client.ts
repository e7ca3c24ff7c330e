import { checkKind } from "./description.ts";
import type { Handler } from "./handler.ts";
import type { Operation } from "./operation.ts";

/**
 * Operations that a server asks of a client (KMIP 2.1, server-to-client operations). This endpoint takes them from its peers in that role, as
 * after Set Endpoint Role: it acknowledges what it is told and keeps nothing, since it asks for objects by itself.
 */

/** Put (KMIP 2.1 §6.2.3): an object that is new to the client, or takes the place of another. */
const put: Handler<"Put"> = ({ object, attributes }) => {
  if (attributes?.objectType !== undefined) checkKind(attributes.objectType, object);
  return {};
};

/** Notify (KMIP 2.1 §6.2.2): attributes that changed. */
const notify: Handler<"Notify"> = () => ({});

/** Set Endpoint Role (KMIP 2.1 §6.1.54): a client stays one on its own connection; it may say so. */
const setEndpointRole: Handler<"SetEndpointRole"> = ({ endpointRole }) => ({ endpointRole });

export const Put: Operation<"Put"> = {
  handler: put,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const Notify: Operation<"Notify"> = {
  handler: notify,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const SetEndpointRole: Operation<"SetEndpointRole"> = {
  handler: setEndpointRole,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
