import { type Attributes, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Asker, Clock, Context, Store } from "./context.ts";

/**
 * Constraints and defaults (KMIP 2.1 §7.7 Constraints, §7.11 Defaults Information): each client's own, for the objects that it makes.
 * They are kept as an object that belongs to nobody, so that no operation reaches it.
 */

type Constraints = RequestPayload<"SetConstraints">["constraints"];
type Defaults = RequestPayload<"SetDefaults">["defaultsInformation"];

interface Settings {
  constraints?: Constraints;
  defaults?: Defaults;
}

/** No certificate and no credential has this name: it is not ASCII. */
const NOBODY = "\u2205";

export function settingsOf({ work, subject }: Asker & Store): Settings {
  const kept = work.get(identifier(subject.identity)) as
    | (ManagedObject & { settings?: Settings })
    | undefined;
  return kept?.settings ?? {};
}

/** Throws unless a new object keeps one of the constraints that are on its type and groups, if there are any. */
export function checkConstraints(context: Context, { objectType, attributes }: ManagedObject): void {
  const { constraints } = settingsOf(context);
  const own = new Set(attributes.objectGroup);
  const applicable = (constraints?.constraint ?? []).filter(({ objectTypes, objectGroups }) => {
    const types = objectTypes?.objectType;
    const groups = objectGroups?.objectGroup;
    return (
      (!types?.length || types.some((type) => type === objectType)) &&
      (!groups?.length || groups.some((group) => own.has(group)))
    );
  });
  if (applicable.length === 0) return;
  const kept = applicable.some((constraint) =>
    Object.entries(constraint.attributes ?? {}).every(
      ([name, value]) => String(attributes[name as keyof Attributes]) === String(value),
    ),
  );
  if (!kept) throw new KmipError("ConstraintViolation", "The object is outside the constraints");
}

export function keepSettings({ work, subject, now }: Asker & Clock & Store, settings: Settings): void {
  const uid = identifier(subject.identity);
  const object: ManagedObject & { settings: Settings } = {
    uid,
    owner: NOBODY,
    objectType: "OpaqueObject",
    attributes: { initialDate: now },
    state: "PreActive",
    settings,
  };
  work.put(object);
}

function identifier(identity: string): string {
  return `${NOBODY} settings of ${identity}`;
}
