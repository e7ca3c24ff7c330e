import { POLICY, policyAttribute } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import { classOf, levelOf } from "./classes.ts";

/**
 * A document that is shared: the data key of one account goes under the account key of another, of one tenant, at the level where
 * no instance has account keys. The account key must never have been outside in the clear, as one below a pair may have been, or whoever knew it would
 * have the data key; nor the data key, unless anybody can wrap under that account key anyway, or a key that somebody knows would be authentic there.
 */
export function checkAccountWraps(key: ManagedObject, object: ManagedObject, work: Work): void {
  const parent = work.get(policyAttribute(object.attributes, POLICY.parent) ?? "");
  const isPair = key.objectType === "PrivateKey";
  const shared =
    classOf(key.attributes) === "account" &&
    classOf(object.attributes) === "data" &&
    // One of the tenant itself is no account's to give away.
    classOf(parent?.attributes ?? {}) === "account" &&
    [key, object].every(({ attributes }) => levelOf(attributes) === "data") &&
    tenantOf(key) !== undefined &&
    tenantOf(key) === tenantOf(object) &&
    key.attributes.alwaysSensitive === true &&
    (isPair || object.attributes.alwaysSensitive === true);
  if (!shared)
    throw new KmipError(
      "PermissionDenied",
      "An account key wraps its own children, and data keys that are shared",
    );
}

function tenantOf({ attributes }: ManagedObject): string | undefined {
  return policyAttribute(attributes, POLICY.tenant);
}
