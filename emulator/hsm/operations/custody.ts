import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";
import { objectFor } from "./object-for.ts";
import type { Operation } from "./operation.ts";

/** Archive (KMIP 2.1 §6.1.4): the value is out of reach until it is recovered. */
const archive: Handler<"Archive"> = ({ uniqueIdentifier }, context) => {
  const object = objectFor(context, uniqueIdentifier, "Archive");
  if (object.attributes.archiveDate) throw new KmipError("ObjectArchived", "The object is archived already");
  object.attributes.archiveDate = context.now;
  object.attributes.lastChangeDate = context.now;
  context.work.put(object);
  return { uniqueIdentifier: object.uid };
};

/** Recover (KMIP 2.1 §6.1.42) */
const recover: Handler<"Recover"> = ({ uniqueIdentifier }, context) => {
  const object = objectFor(context, uniqueIdentifier, "Recover", { archived: true });
  delete object.attributes.archiveDate;
  object.attributes.lastChangeDate = context.now;
  context.work.put(object);
  return { uniqueIdentifier: object.uid };
};

/** Log (KMIP 2.1 §6.1.29): taken, and not kept: a client's words stay out of the HSM's log. */
const log: Handler<"Log"> = () => ({});

/** Interop (KMIP 2.1 §6.1.26): marks begin and end of a test case. */
const interop: Handler<"Interop"> = () => ({});

export const Archive: Operation<"Archive"> = {
  handler: archive,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "ARCHIVE",
  shared: false,
};

export const Recover: Operation<"Recover"> = {
  handler: recover,
  needsValue: false,
  unattested: true,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "objects",
  policyName: "RECOVER",
  shared: false,
};

export const Log: Operation<"Log"> = {
  handler: log,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const Interop: Operation<"Interop"> = {
  handler: interop,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
