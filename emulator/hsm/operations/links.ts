import type { Attributes } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import {
  addInstance,
  changeInstance,
  instancesOf,
  MAX_LINKS,
  removeInstances,
} from "./attribute-instances.ts";
import type { Clock, Store } from "./context.ts";

type Link = NonNullable<Attributes["link"]>[number];
type LinkType = Link["linkType"];

/**
 * Links an object to another (KMIP 2.1 §4.31), in place of what that kind of link named before if `only` says so. Of a key
 * from which much is derived the oldest links go: it derives on, and what was derived keeps its link to the key.
 */
export function addLink(
  object: ManagedObject,
  linkType: LinkType,
  uid: string,
  { work, now }: Clock & Store,
  { only = false } = {},
): void {
  const link: Link = { linkType, linkedObjectIdentifier: uid };
  const alike = instancesOf(object, "link").filter(({ value }) => (value as Link).linkType === linkType);
  const [former, ...others] = only ? alike : [];
  const oldest = only ? others : alike.slice(0, Math.max(0, alike.length - MAX_LINKS + 1));
  removeInstances(object, "link", oldest);
  if (former) changeInstance(object, "link", former, link);
  else addInstance(object, "link", link);
  object.attributes.lastChangeDate = now;
  work.put(object);
}
