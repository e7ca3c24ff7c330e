import type { Attributes } from "#protocol/kmip/index.ts";
import { addInstance, changeInstance, instancesOf, removeInstances } from "../attribute-instances.ts";
import type { ManagedObject } from "../managed-object.ts";
import type { Context } from "./handler.ts";

type Link = NonNullable<Attributes["link"]>[number];
type LinkType = Link["linkType"];

/** Links an object to another (KMIP 2.1 §4.31), in place of what that kind of link named before if `only` says so. */
export function addLink(
  object: ManagedObject,
  linkType: LinkType,
  uid: string,
  { work, now }: Context,
  { only = false } = {},
): void {
  const link: Link = { linkType, linkedObjectIdentifier: uid };
  const [former, ...others] = only
    ? instancesOf(object, "link").filter(({ value }) => (value as Link).linkType === linkType)
    : [];
  removeInstances(object, "link", others);
  if (former) changeInstance(object, "link", former, link);
  else addInstance(object, "link", link);
  object.attributes.lastChangeDate = now;
  work.put(object);
}
