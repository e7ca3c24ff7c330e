import type { Attributes } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../managed-object.ts";
import type { Context } from "./handler.ts";

type LinkType = NonNullable<Attributes["link"]>[number]["linkType"];

/** Links an object to another (KMIP 2.1 §4.31), in place of what that kind of link named before if `only` says so. */
export function addLink(
  object: ManagedObject,
  linkType: LinkType,
  uid: string,
  { work, now }: Context,
  { only = false } = {},
): void {
  const others = (object.attributes.link ?? []).filter((link) => !only || link.linkType !== linkType);
  object.attributes.link = [...others, { linkType, linkedObjectIdentifier: uid }];
  object.attributes.lastChangeDate = now;
  work.put(object);
}
