import { KmipError } from "#protocol/kmip/index.ts";
import type { Handler } from "./handler.ts";
import type { Operation } from "./operation.ts";
import { keepSettings, settingsOf } from "./settings.ts";

/** Each new object is compared with all of them. */
const MAX_CONSTRAINTS = 64;

/** Set Constraints (KMIP 2.1 §6.1.52): those in force from now on; none where there are none. */
const setConstraints: Handler<"SetConstraints"> = ({ constraints }, context) => {
  if ((constraints?.constraint?.length ?? 0) > MAX_CONSTRAINTS)
    throw new KmipError("InvalidField", `There are ${MAX_CONSTRAINTS} constraints at most`);
  keepSettings(context, { ...settingsOf(context), constraints });
  return {};
};

/** Get Constraints (KMIP 2.1 §6.1.22) */
const getConstraints: Handler<"GetConstraints"> = (_request, context) => {
  const { constraints } = settingsOf(context);
  return constraints ? { constraints } : {};
};

/** Set Defaults (KMIP 2.1 §6.1.53) */
const setDefaults: Handler<"SetDefaults"> = ({ defaultsInformation }, context) => {
  keepSettings(context, { ...settingsOf(context), defaults: defaultsInformation });
  return {};
};

export const SetConstraints: Operation<"SetConstraints"> = {
  handler: setConstraints,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const GetConstraints: Operation<"GetConstraints"> = {
  handler: getConstraints,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const SetDefaults: Operation<"SetDefaults"> = {
  handler: setDefaults,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};
